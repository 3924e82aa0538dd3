import { expect, test } from 'vitest'
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
