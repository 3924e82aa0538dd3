/**
 * PostgreSQL's wire protocol, version 3 (PostgreSQL documentation, chapter "Frontend/Backend Protocol"): numbers and names.
 *
 *     message  = type:byte length:int32 body         length counts itself, not the type
 *     startup  = length:int32 code:int32 body        only the first messages of a connection have no type
 */

/** Message types a client sends. */
export const frontend = {
  query: 0x51, // Q
  parse: 0x50, // P
  bind: 0x42, // B
  describe: 0x44, // D
  execute: 0x45, // E
  close: 0x43, // C
  flush: 0x48, // H
  sync: 0x53, // S
  function_call: 0x46, // F
  copy_data: 0x64, // d
  copy_done: 0x63, // c
  copy_fail: 0x66, // f
  terminate: 0x58, // X
  password: 0x70, // p
} as const

/** Message types a server sends. */
export const backend = {
  authentication: 0x52, // R
  key_data: 0x4b, // K
  parameter_status: 0x53, // S
  ready: 0x5a, // Z
  error: 0x45, // E
  notice: 0x4e, // N
  notification: 0x41, // A
  row_description: 0x54, // T
  data_row: 0x44, // D
  command_complete: 0x43, // C
  empty_query: 0x49, // I
  portal_suspended: 0x73, // s
  parse_complete: 0x31, // 1
  bind_complete: 0x32, // 2
  close_complete: 0x33, // 3
  parameter_description: 0x74, // t
  no_data: 0x6e, // n
  copy_in: 0x47, // G
  copy_out: 0x48, // H
  copy_both: 0x57, // W
  copy_data: 0x64, // d
  copy_done: 0x63, // c
  function_result: 0x56, // V
  negotiate_version: 0x76, // v
} as const

/** Codes in place of a version in the first message. */
export const startup_codes = {
  cancel: 80_877_102,
  ssl: 80_877_103,
  gssenc: 80_877_104,
} as const

/** Largest startup packet (PostgreSQL's MAX_STARTUP_PACKET_LENGTH), bytes. */
export const startup_bytes_max = 10_000

/** Limit of messages that PostgreSQL itself keeps small (PQ_SMALL_MESSAGE_LIMIT), bytes. */
export const small_message_bytes_max = 10_000

/** Bytes of type and length. */
export const header_bytes = 5
