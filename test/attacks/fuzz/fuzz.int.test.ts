import { describe, expect, it } from 'vitest'
import { runFuzz } from './fuzz.ts'

const MiB = 1024 * 1024

/** Short runs; `npm run fuzz` is the long one. A finding's seed plays its session again: `npm run fuzz -- --session SEED`. */
describe('a client that sends whatever it likes', () => {
  it.each(['wait', 'overlap'] as const)(
    'crashes nothing, hangs nothing, and runs nothing unrecorded, reads: %s',
    async (reads) => {
      const report = await runFuzz({ messages: 12_000, seed: 7, reads })
      expect(report.findings).toEqual([])
      expect(report.executed).toBeGreaterThan(1_000)
      expect(report.violations).toBeGreaterThan(20)
      expect(report.heap_bytes - report.heap_warm_bytes).toBeLessThan(32 * MiB)
    },
  )
})
