import type { KeyObject } from 'node:crypto'
import { decodeValue } from '#core/events/codec.ts'
import type { ApprovalDecided } from '#core/events/types.ts'
import type { Config } from '#lib/config/schema.ts'
import type { Logger } from '#lib/logger.ts'
import { counter, gauge } from '#lib/metrics.ts'
import { approval_key, openVerifyingKey } from '#lib/signing-key.ts'
import type { Recorder } from '../recorder/port.ts'
import type { LogSource } from '../recorder/shipper-messages.ts'
import { openTopicFollower } from '../topic-follower.ts'
import type { FollowedRecord } from '../topic-follower-messages.ts'
import { openHolds, type Holds } from './holds.ts'

export type ApprovalsOptions = {
  readonly config: Pick<Config, 'deployment' | 'data_dir' | 'log' | 'approvals'>
  readonly recorder: Recorder
  readonly logger: Logger
  /** How the log is opened; default: as the configuration says. */
  readonly log?: LogSource
  /** Default: the key file. */
  readonly key?: KeyObject
}

/** Approvals of one gateway process: its held commands, and what the log says about them. */
export interface Approvals extends AsyncDisposable {
  readonly holds: Holds
}

const decidedOf = (record: FollowedRecord): ApprovalDecided | null => {
  if (record.code !== 'CRN1401I' || record.history) return null
  const decoded = decodeValue(Buffer.from(record.value))
  return decoded.ok && decoded.type === 'approval.decided' ? decoded.event : null
}

/** @throws CairnError('config_invalid') the verifying key is none */
export const openApprovals = async (options: ApprovalsOptions): Promise<Approvals> => {
  const { config, recorder, logger } = options
  const { deployment, data_dir, approvals } = config
  const ended = counter({
    name: 'gateway_holds_total',
    help: 'Held commands, by how their wait ended, and decisions that changed nothing (rejected_...).',
    labels: ['outcome'],
  })
  const holds = openHolds({
    deployment,
    recorder,
    key: options.key ?? (await openVerifyingKey(data_dir, approval_key)),
    link_base: approvals.link_base,
    holds_max: approvals.holds_max,
    now_ms: Date.now,
    logger,
    counted: (outcome) => ended.inc({ outcome }),
  })
  gauge({
    name: 'gateway_holds',
    help: 'Commands that wait for people.',
    read: (own) => own.set(holds.size),
  })
  const follower = openTopicFollower({
    log: options.log ?? { config: config.log, data_dir },
    topic: 'cairn.approvals',
    logger,
    onRecords: (records) => {
      for (const record of records) {
        const decided = decidedOf(record)
        if (decided !== null) holds.take(decided)
      }
    },
  })
  return {
    holds,
    [Symbol.asyncDispose]: () => follower[Symbol.asyncDispose](),
  }
}
