import type { ClickHouse } from '#lib/clickhouse/port.ts'
import type { Logger } from '#lib/logger.ts'
import type { ReplayMetrics } from './metrics.ts'

/** An epoch whose records in the tables are not one for each sequence number. */
type Fault = {
  readonly gateway_id: string
  readonly epoch: string
  readonly holes: number
  readonly repeats: number
}

/** Epochs reported in one look. */
const faults_max = 100

/** Compares, per gateway epoch of the last day, how many rows there are with how many sequence numbers there should be. */
export const findFaults = (clickhouse: ClickHouse): Promise<readonly Fault[]> =>
  clickhouse.query<Fault>(
    `SELECT gateway_id, epoch, max(gseq) + 1 - uniqExact(gseq) AS holes, count() - uniqExact(gseq) AS repeats
     FROM records
     WHERE (gateway_id, epoch) IN
       (SELECT gateway_id, epoch FROM records WHERE logged > now() - INTERVAL 1 DAY AND gateway_id != '')
     GROUP BY gateway_id, epoch
     HAVING holes > 0 OR repeats > 0
     ORDER BY holes + repeats DESC
     LIMIT ${faults_max}`,
  )

const nameOf = ({ gateway_id, epoch }: Fault): string => `${gateway_id}/${epoch}`

/**
 * Looks for holes and repeats in the sequence numbers. A hole is reported when it is there twice running: records of an epoch come through
 * several partitions, and what is not here yet is not missing.
 */
export const openReconciler = (deps: {
  readonly clickhouse: ClickHouse
  readonly logger: Logger
  readonly metrics: ReplayMetrics
}): (() => Promise<void>) => {
  let suspected = new Map<string, number>()
  const reported = new Map<string, number>()

  return async () => {
    const faults = await findFaults(deps.clickhouse)
    let holes = 0
    let repeats = 0
    for (const fault of faults) {
      const name = nameOf(fault)
      const lasting = Math.min(fault.holes, suspected.get(name) ?? 0)
      holes += lasting
      repeats += fault.repeats
      const total = lasting + fault.repeats
      if (total > 0 && reported.get(name) !== total) {
        reported.set(name, total)
        deps.logger.error(
          { ...fault, holes: lasting },
          'sequence numbers of a gateway are missing or stand twice in the tables',
        )
      }
    }
    suspected = new Map(faults.map((fault) => [nameOf(fault), fault.holes]))
    for (const name of reported.keys()) if (!suspected.has(name)) reported.delete(name)
    deps.metrics.holes.set(holes)
    deps.metrics.repeated.set(repeats)
  }
}
