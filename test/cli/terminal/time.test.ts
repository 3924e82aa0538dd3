import { describe, expect, it } from 'vitest'
import { clock, duration, size, timeOf } from '../../../services/cli/terminal/time.ts'

const now_ms = Date.parse('2026-01-31T12:00:00Z')

describe('times as people give them', () => {
  it('takes how long ago', () => {
    expect(timeOf('30m', now_ms)).toBe('2026-01-31T11:30:00.000Z')
    expect(timeOf('2h', now_ms)).toBe('2026-01-31T10:00:00.000Z')
    expect(timeOf('7d', now_ms)).toBe('2026-01-24T12:00:00.000Z')
  })

  it('takes dates and times, in UTC unless they say otherwise', () => {
    expect(timeOf('2026-01-30', now_ms)).toBe('2026-01-30T00:00:00.000Z')
    expect(timeOf('2026-01-30 08:15', now_ms)).toBe('2026-01-30T08:15:00.000Z')
    expect(timeOf('2026-01-30T08:15:00+02:00', now_ms)).toBe('2026-01-30T06:15:00.000Z')
  })

  it('takes nothing else', () => {
    for (const text of ['', 'yesterday', '2h ago', '2026-13-40', '1e9', '-1h'])
      expect(timeOf(text, now_ms), text).toBeUndefined()
  })
})

describe('numbers for people', () => {
  it('shows durations', () => {
    expect([850, 12_300, 4_200_000, 185_000_000].map(duration)).toEqual([
      '850 µs',
      '12.3 ms',
      '4.2 s',
      '3 min 5 s',
    ])
  })

  it('shows sizes', () => {
    expect([0, 999, 1500, 20_000_000].map(size)).toEqual(['0 B', '999 B', '1.5 kB', '20.0 MB'])
  })

  it('shows a time to the second and leaves alone what is none', () => {
    expect(clock('2026-01-31T12:34:56.789012Z')).toBe('2026-01-31 12:34:56Z')
    expect(clock('?')).toBe('?')
    expect(clock(null)).toBe('')
  })
})
