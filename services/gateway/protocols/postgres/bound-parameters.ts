import { decodeBinary, type TextReader } from '#core/postgres/binary-values.ts'
import { namesSecret, redactValue } from '#core/sql/redaction.ts'
import type { WireParameter } from './frontend-messages.ts'
import type { RecordedParameter } from './prepared.ts'
import { cutText } from './statement.ts'

export type BoundParameters = {
  readonly parameters: readonly RecordedParameter[]
  /** What was replaced: never recorded. */
  readonly secrets: readonly string[]
}

const no_secrets: readonly never[] = []
const secrets_max = 64

/** Shorter ones would be found everywhere. */
const isMaskable = (secret: string): boolean => Buffer.byteLength(secret) >= 4

/**
 * Parameters of a Bind as they are recorded. The values of one command together take at most `bytes_max`; what is cut shows by
 * `value_bytes`, which always tells the length on the wire. Values of a text with secret parameters, and those after a value that names a
 * secret (`set_config($1, $2, ...)`), go as a whole; of a connection string goes the password.
 */
export const readParameters = (
  buffer: Buffer,
  parameters: readonly WireParameter[],
  oids: readonly number[],
  read: TextReader,
  bytes_max: number,
  secret: boolean,
): BoundParameters => {
  const recorded: RecordedParameter[] = []
  let secrets: string[] | null = null
  let hidden = secret
  let left = bytes_max
  for (let i = 0; i < parameters.length; i++) {
    const { binary, start, length } = parameters[i]!
    const type_oid = oids[i] ?? 0
    const kept = Math.min(length, left)
    left -= Math.max(kept, 0)
    const read_value =
      start === -1 ? null : valueText(buffer, start, length, kept, binary ? type_oid : -1, read)
    const redacted = read_value === null || hidden ? null : redactValue(read_value)
    if (hidden && read_value !== null) (secrets ??= []).push(read_value)
    else if (redacted !== null) (secrets ??= []).push(...redacted.secrets)
    recorded.push({
      type_oid,
      format: binary ? 'binary' : 'text',
      value: hidden ? null : (redacted?.text ?? read_value),
      masked: (hidden && read_value !== null) || redacted !== null,
      value_bytes: length,
    })
    hidden ||= read_value !== null && namesSecret(read_value)
  }
  return {
    parameters: recorded,
    secrets: secrets?.filter(isMaskable).slice(0, secrets_max) ?? no_secrets,
  }
}

/** `oid` -1: text format. A value that is too long is shown as far as there is room. */
const valueText = (
  buffer: Buffer,
  start: number,
  length: number,
  kept: number,
  oid: number,
  read: TextReader,
): string => {
  const bytes = buffer.subarray(start, start + kept)
  if (oid === -1) {
    const text = read(bytes, 0, bytes.length).toWellFormed()
    return kept === length ? text : cutText(text.replace(/\ufffd+$/, ''), kept)
  }
  // Hex and digits take more room than the bytes; half of a decimal says nothing, so a cut value is shown as bytes.
  return decodeBinary(bytes, kept === length ? oid : 0, read).toWellFormed()
}
