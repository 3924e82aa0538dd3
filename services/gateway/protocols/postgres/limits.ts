/** Bounds of one session that are not configuration. Each is a place where memory could grow; what hits one is counted. */

/** Bytes recorded and waiting to be durable before they go to the target; beyond, the client is not read. */
export const queued_bytes_max = 4 * 1024 * 1024
/** Messages without an answer; beyond, the client is not read. More than a server can hold back in its own buffer. */
export const in_flight_max = 10_000
/** Response bytes held back until their command is durable (`reads: overlap`); beyond, the target is not read. */
export const held_bytes_max = 1024 * 1024
/** Names of prepared statements in a session; more are refused. */
export const statements_max = 10_000
/** Named portals in a session; more are refused. */
export const portals_max = 1_000
/** Largest response.chunk and input.chunk record, bytes of payload. */
export const chunk_bytes_max = 64 * 1024
/** Bytes that a client may send behind a command that waits for people; beyond, it is not read. */
export const behind_hold_bytes_max = 256 * 1024
/** How long what a client asked for may still run, and its end be awaited, once the client is gone, milliseconds. */
export const linger_ms = 5_000
/** How long a connection may take to close after its last message, milliseconds. */
export const close_timeout_ms = 5_000
/** Connections from one address that have not authenticated yet; more are closed. */
export const half_open_per_address_max = 64
