/**
 * Kafka's default partitioner: murmur2 (32 bit, seed 0x9747b28c) of the key, sign bit cleared, modulo the partitions.
 * Both logs use it, so that a key stands in the same partition number in either.
 * Source: Apache Kafka, org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey.
 */
const seed = 0x9747b28c
const multiplier = 0x5bd1e995

/** murmur2 of the bytes as a signed 32-bit number, as Kafka's Java client has it. */
export const murmur2 = (data: Uint8Array): number => {
  const length = data.length
  let hash = seed ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let word =
      (data[at] ?? 0) |
      ((data[at + 1] ?? 0) << 8) |
      ((data[at + 2] ?? 0) << 16) |
      ((data[at + 3] ?? 0) << 24)
    word = Math.imul(word, multiplier)
    word ^= word >>> 24
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier)
  }
  const rest = length - at
  if (rest === 3) hash ^= (data[at + 2] ?? 0) << 16
  if (rest >= 2) hash ^= (data[at + 1] ?? 0) << 8
  if (rest >= 1) hash = Math.imul(hash ^ (data[at] ?? 0), multiplier)
  hash ^= hash >>> 13
  hash = Math.imul(hash, multiplier)
  return hash ^ (hash >>> 15)
}

/** The partition (0 to `partitions` - 1) that a key belongs to. */
export const partitionOf = (key: Uint8Array, partitions: number): number =>
  (murmur2(key) & 0x7fffffff) % partitions
