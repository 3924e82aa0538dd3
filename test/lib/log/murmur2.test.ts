import * as fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { murmur2, partitionOf } from '#lib/log/murmur2.ts'

/** From Apache Kafka's own UtilsTest.testMurmur2 (clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java). */
const published: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
]

test.each(published)('murmur2 of %s is what Kafka says', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

test('murmur2 of abc, which leaves three bytes over, is what Kafka says', () => {
  expect(murmur2(Buffer.from([0x61, 0x62, 0x63]))).toBe(479470107)
})

const partition = Partitioners.DefaultPartitioner()

test('a key gets the partition that the default partitioner of kafkajs gives it', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 70 }),
      fc.integer({ min: 1, max: 1000 }),
      (bytes, partitions) => {
        const key = Buffer.from(bytes)
        const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
          partitionId,
          leader: 1,
          partitionErrorCode: 0,
          replicas: [],
          isr: [],
        }))
        const message = { key, value: null }
        expect(partitionOf(key, partitions)).toBe(
          partition({ topic: 't', partitionMetadata, message }),
        )
      },
    ),
  )
})
