import { CairnError } from '#lib/error.ts'
import type { EmbeddedDatabase } from './embedded-database.ts'
import type { PartitionRow } from './embedded-records.ts'

/**
 * Consumer groups in the embedded log. Members announce themselves with a lease; every member works out by itself, from the same
 * rows, which partitions it should own, takes the free ones of these and gives up others. A partition has at most one owner,
 * and its epoch grows with each change: what an earlier owner still wants to write fails.
 * All functions run inside a transaction of the group commit.
 */
export type Membership = {
  readonly group: string
  readonly id: string
  readonly process: string
  readonly topics: readonly string[]
  readonly from: 'beginning' | 'end'
}

/** A partition this member owns. */
export type Ownership = Omit<PartitionRow, 'low' | 'next'> & {
  readonly epoch: number
  /** Offset of the next record the group wants. */
  readonly position: number
  readonly plan_hi: number | null
  /** False: another member should have it; finish and release. */
  readonly wanted: boolean
}

type MemberRow = {
  readonly id: string
  readonly process: string
  readonly topics: string
  readonly joined: number
  readonly expires_ms: number
}

type OwnedRow = Omit<Ownership, 'position' | 'wanted'> & { readonly position: number | null }

const prepare = ({ writer }: EmbeddedDatabase) => ({
  bump: writer.prepare(
    'INSERT INTO groups (name, generation) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET generation = generation + 1 RETURNING generation',
  ),
  join: writer.prepare(
    'INSERT INTO members (id, grp, process, topics, joined, expires_ms) VALUES (?, ?, ?, ?, ?, ?)',
  ),
  renew: writer.prepare('UPDATE members SET expires_ms = ? WHERE id = ?'),
  remove: writer.prepare('DELETE FROM members WHERE id = ?'),
  members: writer.prepare(
    'SELECT id, process, topics, joined, expires_ms FROM members WHERE grp = ? ORDER BY joined, id',
  ),
  partitions: writer.prepare('SELECT id, topic, partition, low, next FROM partitions'),
  enrol: writer.prepare('INSERT OR IGNORE INTO consumers (grp, partition_id) VALUES (?, ?)'),
  take: writer.prepare(
    'UPDATE consumers SET owner = ?, epoch = epoch + 1 WHERE grp = ? AND partition_id = ? AND owner IS NULL',
  ),
  begin: writer.prepare('UPDATE consumers SET position = ? WHERE grp = ? AND partition_id = ?'),
  owned: writer.prepare(
    `SELECT p.id, p.topic, p.partition, c.epoch, c.position, c.plan_hi
     FROM consumers c JOIN partitions p ON p.id = c.partition_id WHERE c.grp = ? AND c.owner = ?`,
  ),
  release: writer.prepare(
    'UPDATE consumers SET owner = NULL WHERE grp = ? AND partition_id = ? AND owner = ? AND epoch = ?',
  ),
  releaseAll: writer.prepare('UPDATE consumers SET owner = NULL WHERE grp = ? AND owner = ?'),
  move: writer.prepare(
    'UPDATE consumers SET position = ?, plan_hi = ? WHERE grp = ? AND partition_id = ? AND owner = ? AND epoch = ?',
  ),
})

/** Which of the partitions belong to `member`: those of one topic go round its subscribers, each topic beginning at another one. */
export const assignedTo = (
  member: string,
  members: readonly { readonly id: string; readonly topics: readonly string[] }[],
  partitions: readonly PartitionRow[],
): PartitionRow[] =>
  partitions.filter((row) => {
    const subscribers = members.filter(({ topics }) => topics.includes(row.topic))
    return subscribers[row.id % Math.max(subscribers.length, 1)]?.id === member
  })

export const openGroups = (
  database: EmbeddedDatabase,
  deps: {
    readonly now_ms: () => number
    readonly lease_ms: number
    readonly isGone: (process: string) => boolean
  },
) => {
  const sql = prepare(database)

  const removeDead = (group: string): MemberRow[] => {
    const rows = sql.members.all(group) as unknown as MemberRow[]
    const dead = rows.filter((row) => row.expires_ms < deps.now_ms() || deps.isGone(row.process))
    for (const { id } of dead) {
      sql.remove.run(id)
      sql.releaseAll.run(group, id)
    }
    if (dead.length > 0) sql.bump.get(group)
    return rows.filter((row) => !dead.includes(row))
  }

  const join = (member: Membership): void => {
    const joined = Number(sql.bump.get(member.group)?.['generation'])
    const topics = JSON.stringify(member.topics)
    const expires_ms = deps.now_ms() + deps.lease_ms
    sql.join.run(member.id, member.group, member.process, topics, joined, expires_ms)
  }

  /** Renews the lease and returns what the member owns now; null when the others have already given it up for dead. */
  const renew = (member: Membership): Ownership[] | null => {
    if (sql.renew.run(deps.now_ms() + deps.lease_ms, member.id).changes === 0) return null
    const live = removeDead(member.group).map(({ id, topics }) => ({
      id,
      topics: JSON.parse(topics) as string[],
    }))
    const partitions = sql.partitions.all() as unknown as PartitionRow[]
    const wanted = new Map(assignedTo(member.id, live, partitions).map((row) => [row.id, row]))
    for (const id of wanted.keys()) {
      sql.enrol.run(member.group, id)
      sql.take.run(member.id, member.group, id)
    }
    const bounds = new Map(partitions.map((row) => [row.id, row]))
    return (sql.owned.all(member.group, member.id) as unknown as OwnedRow[]).map((row) => {
      const { low = 0, next = 0 } = bounds.get(row.id) ?? {}
      const position = row.position ?? (member.from === 'end' ? next : low)
      // A group that begins at the end begins at this end, also after a crash before its first commit.
      if (row.position === null && member.from === 'end')
        sql.begin.run(position, member.group, row.id)
      return Object.assign(row, { position, wanted: wanted.has(row.id) })
    })
  }

  const release = (
    member: Membership,
    partition: { readonly id: number; readonly epoch: number },
  ): void => {
    sql.release.run(member.group, partition.id, member.id, partition.epoch)
    sql.bump.get(member.group)
  }

  const leave = (member: Membership): void => {
    sql.remove.run(member.id)
    sql.releaseAll.run(member.group, member.id)
    sql.bump.get(member.group)
  }

  /** Moves the group's position, with or without a plan. @throws CairnError('log_fenced') the partition is another's by now */
  const move = (
    member: Membership,
    partition: Pick<Ownership, 'id' | 'epoch' | 'topic' | 'partition'>,
    position: number,
    plan_hi: number | null,
  ): void => {
    const { changes } = sql.move.run(
      position,
      plan_hi,
      member.group,
      partition.id,
      member.id,
      partition.epoch,
    )
    if (changes === 0)
      throw new CairnError(
        'log_fenced',
        `group ${member.group} has given ${partition.topic}/${partition.partition} to another consumer`,
      )
  }

  return { join, renew, release, leave, move }
}

export type Groups = ReturnType<typeof openGroups>
