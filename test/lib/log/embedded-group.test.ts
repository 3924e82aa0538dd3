import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignedTo } from '#lib/log/embedded-group.ts'

const rows = (topics: readonly (readonly [string, number])[]) => {
  let id = 0
  return topics.flatMap(([topic, partitions]) =>
    Array.from({ length: partitions }, (_, partition) => ({
      id: ++id,
      topic,
      partition,
      low: 0,
      next: 0,
    })),
  )
}

test('every partition that a member subscribes belongs to exactly one of them, evenly', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 7 }), (partitions, count) => {
      const all = rows(partitions.map((size, at) => [`topic ${at}`, size] as const))
      const topics = [...new Set(all.map(({ topic }) => topic))]
      const members = Array.from({ length: count }, (_, at) => ({ id: `member ${at}`, topics }))
      const shares = members.map(({ id }) => assignedTo(id, members, all))
      const owned = shares.flat().map(({ id }) => id)
      expect(owned.toSorted((a, b) => a - b)).toEqual(all.map(({ id }) => id))
      const most = Math.max(...shares.map(({ length }) => length))
      expect(most - Math.min(...shares.map(({ length }) => length))).toBeLessThanOrEqual(1)
    }),
  )
})

test('a member gets nothing of a topic it does not subscribe', () => {
  const all = rows([
    ['a', 2],
    ['b', 3],
  ])
  const members = [
    { id: 'one', topics: ['a'] },
    { id: 'two', topics: ['b'] },
  ]
  expect(assignedTo('one', members, all).map(({ topic }) => topic)).toEqual(['a', 'a'])
  expect(assignedTo('two', members, all).map(({ topic }) => topic)).toEqual(['b', 'b', 'b'])
  expect(assignedTo('three', members, all)).toEqual([])
})
