/**
 * Binary dates and times as PostgreSQL prints them with DateStyle ISO and IntervalStyle postgres. Integers count from 2000-01-01, in
 * days or microseconds. Times with zone are printed in UTC: the zone of the session is not in the value.
 */
const day_us = 86_400_000_000n
const hour_us = 3_600_000_000n
const int64_max = 0x7fff_ffff_ffff_ffffn
const int64_min = -0x8000_0000_0000_0000n
const int32_max = 0x7fff_ffff
const int32_min = -0x8000_0000

const two = (value: number): string => String(value).padStart(2, '0')

type Day = { readonly text: string; readonly era: '' | ' BC' }

/** Proleptic Gregorian calendar, in 400-year eras that begin in March (days_from_civil turned round); year 0 is 1 BC. */
const dayOf = (days_from_2000: number): Day => {
  const shifted = days_from_2000 + 730_425
  const era = Math.floor(shifted / 146_097)
  const day = shifted - era * 146_097
  const year_of_era = Math.floor(
    (day - Math.floor(day / 1460) + Math.floor(day / 36_524) - Math.floor(day / 146_096)) / 365,
  )
  const day_of_year =
    day - (365 * year_of_era + Math.floor(year_of_era / 4) - Math.floor(year_of_era / 100))
  const march_month = Math.floor((5 * day_of_year + 2) / 153)
  const day_of_month = day_of_year - Math.floor((153 * march_month + 2) / 5) + 1
  const month = march_month < 10 ? march_month + 3 : march_month - 9
  const year = year_of_era + era * 400 + (month <= 2 ? 1 : 0)
  const shown = String(year > 0 ? year : 1 - year).padStart(4, '0')
  return { text: `${shown}-${two(month)}-${two(day_of_month)}`, era: year > 0 ? '' : ' BC' }
}

/** hh:mm:ss with as many fractional digits as there are. Microseconds, not negative. */
const clock = (us: bigint): string => {
  const hours = Number(us / hour_us)
  const rest = Number(us % hour_us)
  const micros = rest % 1_000_000
  const seconds = Math.floor(rest / 1_000_000)
  const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0').replace(/0+$/, '')}`
  return `${two(hours)}:${two(Math.floor(seconds / 60))}:${two(seconds % 60)}${fraction}`
}

export const dateText = (bytes: Buffer): string => {
  const days = bytes.readInt32BE(0)
  if (days === int32_max) return 'infinity'
  if (days === int32_min) return '-infinity'
  const { text, era } = dayOf(days)
  return text + era
}

export const timeText = (bytes: Buffer): string | undefined => {
  const us = bytes.readBigInt64BE(0)
  return us < 0n || us > day_us ? undefined : clock(us)
}

/** Seconds west of Greenwich, shown east of it. */
const zone = (west_s: number): string => {
  const east = Math.abs(west_s)
  const minutes = Math.floor(east / 60) % 60
  const seconds = east % 60
  const tail =
    seconds > 0 ? `:${two(minutes)}:${two(seconds)}` : minutes > 0 ? `:${two(minutes)}` : ''
  return `${west_s > 0 ? '-' : '+'}${two(Math.floor(east / 3600))}${tail}`
}

export const timetzText = (bytes: Buffer): string | undefined => {
  const us = bytes.readBigInt64BE(0)
  if (us < 0n || us > day_us) return undefined
  return clock(us) + zone(bytes.readInt32BE(8))
}

export const timestampText =
  (suffix: '' | '+00') =>
  (bytes: Buffer): string => {
    const us = bytes.readBigInt64BE(0)
    if (us === int64_max) return 'infinity'
    if (us === int64_min) return '-infinity'
    const in_day = ((us % day_us) + day_us) % day_us
    const { text, era } = dayOf(Number((us - in_day) / day_us))
    return `${text} ${clock(in_day)}${suffix}${era}`
  }

/** int64 microseconds, int32 days, int32 months. A part after a negative one shows its plus. */
export const intervalText = (bytes: Buffer): string => {
  const us = bytes.readBigInt64BE(0)
  const days = bytes.readInt32BE(8)
  const months = bytes.readInt32BE(12)
  if (us === int64_max && days === int32_max && months === int32_max) return 'infinity'
  if (us === int64_min && days === int32_min && months === int32_min) return '-infinity'
  const parts: string[] = []
  let negative_before = false
  const units: readonly (readonly [number, string])[] = [
    [Math.trunc(months / 12), 'year'],
    [months % 12, 'mon'],
    [days, 'day'],
  ]
  for (const [value, unit] of units) {
    if (value === 0) continue
    const plus = negative_before && value > 0 ? '+' : ''
    parts.push(`${plus}${value} ${unit}${value === 1 ? '' : 's'}`)
    negative_before = value < 0
  }
  if (us !== 0n || parts.length === 0) {
    const sign = us < 0n ? '-' : negative_before ? '+' : ''
    parts.push(sign + clock(us < 0n ? -us : us))
  }
  return parts.join(' ')
}
