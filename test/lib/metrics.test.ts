import { expect, test } from 'vitest'
import { counter, gauge, histogram, metricsText, openProcessMetrics } from '#lib/metrics.ts'

test('metrics have the prefix, and one that is opened twice is one', async () => {
  const options = { name: 'probe_total', help: 'Probes.', labels: ['kind'] } as const
  counter(options).inc({ kind: 'a' })
  counter(options).inc({ kind: 'a' }, 2)
  gauge({ name: 'probe_bytes', help: 'Bytes.', read: (self) => self.set(7) })
  histogram({ name: 'probe_seconds', help: 'Seconds.', buckets: [1] }).observe(0.5)
  openProcessMetrics()
  openProcessMetrics()
  const lines = (await metricsText()).split('\n')
  expect(lines).toContain('cairn_probe_total{kind="a"} 3')
  expect(lines).toContain('cairn_probe_bytes 7')
  expect(lines).toContain('cairn_probe_seconds_bucket{le="1"} 1')
  expect(lines.some((line) => line.startsWith('cairn_process_cpu_seconds_total '))).toBe(true)
})
