/** RFC 3339 with microseconds, UTC, of microseconds since 1970. */
export const timeText = (time_us: number): string => {
  const milliseconds = new Date(Math.floor(time_us / 1000)).toISOString().slice(0, -1)
  return `${milliseconds}${String(time_us % 1000).padStart(3, '0')}Z`
}

/** Microseconds since 1970 of an RFC 3339 time; digits behind the microseconds are left out. NaN for what is none. */
export const microsOfText = (text: string): number => {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? ''
  const micros = Number(fraction.slice(3, 6).padEnd(3, '0') || '0')
  return Date.parse(text) * 1000 + micros
}
