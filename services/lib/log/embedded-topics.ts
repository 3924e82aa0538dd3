import { CairnError } from '#lib/error.ts'
import { partitions_max, type EmbeddedDatabase } from './embedded-database.ts'
import type { PartitionRow } from './embedded-records.ts'
import type { TopicLag, TopicSpec } from './port.ts'

/** Topics of the embedded log: their partitions, bounds and the positions of groups. */
export const openTopics = ({ writer, reader }: EmbeddedDatabase) => {
  const selectIds = reader.prepare('SELECT id FROM partitions WHERE topic = ? ORDER BY partition')
  const selectBounds = reader.prepare(
    'SELECT id, topic, partition, low, next FROM partitions WHERE topic = ? AND partition = ?',
  )
  const selectLag = reader.prepare(
    `SELECT p.partition, p.low, p.next, c.position FROM partitions p
     LEFT JOIN consumers c ON c.partition_id = p.id AND c.grp = ? WHERE p.topic = ? ORDER BY p.partition`,
  )
  const count = writer.prepare('SELECT count(*) AS n FROM partitions WHERE topic = ?')
  const total = writer.prepare('SELECT count(*) AS n FROM partitions')
  const insert = writer.prepare(
    'INSERT INTO partitions (topic, partition, retention_ms, retention_bytes) VALUES (?, ?, ?, ?)',
  )
  const retain = writer.prepare(
    'UPDATE partitions SET retention_ms = ?, retention_bytes = ? WHERE topic = ?',
  )
  const known = new Map<string, readonly number[]>()

  /** Ids of the topic's partitions by partition number. @throws CairnError('log_unknown_topic') */
  const partitionsOf = (topic: string): readonly number[] => {
    const cached = known.get(topic)
    if (cached !== undefined) return cached
    const ids = selectIds.all(topic).map((row) => Number(row['id']))
    if (ids.length === 0) throw new CairnError('log_unknown_topic', `the log has no topic ${topic}`)
    known.set(topic, ids)
    return ids
  }

  const boundsOf = (topic: string, partition: number): PartitionRow => {
    const row = selectBounds.get(topic, partition)
    if (row === undefined)
      throw new CairnError('log_unknown_topic', `the log has no partition ${topic}/${partition}`)
    return row as unknown as PartitionRow
  }

  const lag = (group: string, topic: string): TopicLag[] => {
    partitionsOf(topic)
    return selectLag.all(group, topic).map((row) => ({
      topic,
      partition: Number(row['partition']),
      low: BigInt(Number(row['low'])),
      high: BigInt(Number(row['next'])),
      committed: row['position'] === null ? null : BigInt(Number(row['position'])),
    }))
  }

  /** Creates what is missing and brings retention to the specification. Runs inside a transaction. */
  const ensure = (specs: readonly TopicSpec[]): void => {
    for (const { name, partitions } of specs) {
      const existing = Number(count.get(name)?.['n'])
      if (existing !== 0 && existing !== partitions)
        throw new CairnError(
          'log_invalid',
          `topic ${name} has ${existing} partitions, not ${partitions}; changing them would break the order per key`,
        )
    }
    const missing = specs.filter(({ name }) => Number(count.get(name)?.['n']) === 0)
    const wanted = missing.reduce((sum, { partitions }) => sum + partitions, 0)
    if (Number(total.get()?.['n']) + wanted >= partitions_max)
      throw new CairnError('log_invalid', `the log has at most ${partitions_max} partitions`)
    for (const { name, partitions, retention_ms, retention_bytes } of specs) {
      if (missing.some((spec) => spec.name === name))
        for (let partition = 0; partition < partitions; partition++)
          insert.run(name, partition, null, null)
      retain.run(retention_ms ?? null, retention_bytes ?? null, name)
    }
  }

  return { partitionsOf, boundsOf, lag, ensure }
}
