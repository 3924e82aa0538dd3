import { expect, test } from 'vitest'
import { token_lifetime_max_s } from '#core/identity/token-index.ts'
import { topicNames, topicSpecs } from '#lib/log/topics.ts'

test('every topic of the contracts is created with the partitions, replicas and retention of the configuration', () => {
  const specs = topicSpecs({ partitions: 6, replication: 3, retention_hours: 168 })
  expect(specs.map(({ name }) => name)).toEqual(topicNames)
  const audit = specs.find(({ name }) => name === 'cairn.audit')
  expect(audit).toEqual({
    name: 'cairn.audit',
    partitions: 6,
    replication: 3,
    retention_ms: 604_800_000,
  })
})

test('the log of the notary is one sequence, however many partitions the others have', () => {
  const specs = topicSpecs({ partitions: 6, replication: 1, retention_hours: 1 })
  expect(specs.find(({ name }) => name === 'cairn.notary')?.partitions).toBe(1)
})

test('claims of tokens are kept for longer than a token lives, whatever the others are', () => {
  const retention = (retention_hours: number): number | undefined =>
    topicSpecs({ partitions: 1, replication: 1, retention_hours }).find(
      ({ name }) => name === 'cairn.tokens',
    )?.retention_ms
  expect(retention(1)).toBe(48 * 3_600_000)
  expect(retention(168)).toBe(168 * 3_600_000)
  expect(retention(1)).toBeGreaterThan(2 * token_lifetime_max_s * 1000 - 1)
})
