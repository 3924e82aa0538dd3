/** Bounds of the replay service. */

/** Largest batch, bytes of keys and values: what one insert carries, several times over in memory. */
export const batch_bytes_max = 8 * 1024 * 1024
/** Ranges that are worked on side by side; the others wait. */
export const ranges_running_max = 2
/** Back-off while ClickHouse or the log cannot take what there is: doubling from the first to the maximum. */
export const retry_backoff_ms = { first: 100, max: 5_000 } as const
/** A refill's ranges: fixed, so that a refill that was broken off cuts the same ones again. */
export const refill_range = { records: 10_000, bytes: batch_bytes_max } as const
/** How often lags are measured. */
export const lag_interval_ms = 5_000
/** How often the tables are compared with the sequence numbers. */
export const reconcile_interval_ms = 60_000
