/** `2026-01-31 12:34:56Z` of an RFC 3339 time as the API gives it; what is none is shown as it is. */
export const clock = (time: string | null): string => {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)/.exec(time ?? '')
  return match === null ? (time ?? '') : `${match[1]} ${match[2]}Z`
}

/** `12:34:56.789` of microseconds since the epoch, UTC. */
export const clockOfMicros = (time_us: number): string => {
  const date = new Date(time_us / 1000)
  return Number.isNaN(date.getTime()) ? '?' : date.toISOString().slice(11, 23)
}

/** A duration for people: 850 µs, 12.3 ms, 4.2 s, 3 min 5 s. */
export const duration = (us: number): string => {
  if (us < 1000) return `${Math.round(us)} µs`
  if (us < 1_000_000) return `${(us / 1000).toFixed(1)} ms`
  if (us < 60_000_000) return `${(us / 1_000_000).toFixed(1)} s`
  const seconds = Math.round(us / 1_000_000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** A size for people: 512 B, 1.5 kB, 20 MB (powers of 1000). */
export const size = (bytes: number): string => {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

const ago_units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/**
 * A time as people give it: RFC 3339 (date alone too), or how long ago, `30m`, `2h`, `7d`. Gives RFC 3339, or undefined when it
 * is neither.
 */
export const timeOf = (text: string, now_ms: number): string | undefined => {
  const ago = /^(\d{1,9})([smhdw])$/.exec(text)
  if (ago !== null) {
    const seconds = Number(ago[1]) * (ago_units[ago[2] ?? ''] ?? Number.NaN)
    return new Date(now_ms - seconds * 1000).toISOString()
  }
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text))
    return undefined
  const zoned = /(Z|[+-]\d\d:\d\d)$/.test(text) || text.length === 10 ? text : `${text}Z`
  const parsed = new Date(zoned.replace(' ', 'T'))
  return Number.isNaN(parsed.getTime()) ? undefined : parsed.toISOString()
}
