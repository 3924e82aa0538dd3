/** Bounds that both logs keep, and what a subscription gets when it asks for nothing else. */

/** Largest record: key, value and headers together. Room for every record the gateway may write, under Kafka's request limit. */
export const record_bytes_max = 16 * 1024 * 1024

/** Most headers of a record. */
export const headers_max = 32
export const header_name_bytes_max = 255

/** Appends that wait for their turn, bytes; past it `append` refuses with `log_unavailable`, nothing having been taken. */
export const append_queue_bytes_max = 256 * 1024 * 1024

export const batch_records_default = 1_000
export const batch_bytes_default = 8 * 1024 * 1024

/** A handler that threw gets its batch again after this long, doubling up to the maximum. */
export const redelivery_backoff_ms = { first: 50, max: 5_000 } as const
