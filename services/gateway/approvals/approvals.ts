import type { Config } from '#lib/config/schema.ts'
import type { Logger } from '#lib/logger.ts'
import { counter, gauge } from '#lib/metrics.ts'
import { approval_key, openVerifyingKey } from '#lib/signing-key.ts'
import type { Recorder } from '../recorder/port.ts'
import { openTopicFollower } from '../topic-follower.ts'
import { openHolds, type Holds } from './holds.ts'
import { openApprovalWatch, type ApprovalWatch } from './watch.ts'

export type ApprovalsOptions = {
  readonly config: Pick<Config, 'deployment' | 'data_dir' | 'log' | 'approvals' | 'gateway'>
  /** Which of the gateway's processes, from 0. */
  readonly index: number
  readonly recorder: Recorder
  readonly logger: Logger
}

/** Approvals of one gateway process: its held commands, and what the log says about them. */
export interface Approvals extends AsyncDisposable {
  readonly holds: Holds
}

/** Process 0 also looks after what processes left that are not started any more. */
const ownership = ({ config, index }: ApprovalsOptions): ((gateway: string) => boolean) => {
  const { id, processes } = config.gateway
  const own = `${id}/${index}`
  const running = new Set(Array.from({ length: processes }, (_, at) => `${id}/${at}`))
  return (gateway) =>
    gateway === own || (index === 0 && gateway.startsWith(`${id}/`) && !running.has(gateway))
}

/** @throws CairnError('config_invalid') the verifying key is none */
export const openApprovals = async (options: ApprovalsOptions): Promise<Approvals> => {
  const { config, index, recorder, logger } = options
  const { deployment, data_dir, approvals } = config
  const ended = counter({
    name: 'gateway_holds_total',
    help: 'Held commands, by how their wait ended, and decisions that changed nothing (rejected_...).',
    labels: ['outcome'],
  })
  const key = await openVerifyingKey(data_dir, approval_key)
  const holds = openHolds({
    deployment,
    recorder,
    key,
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
  await using opening = new AsyncDisposableStack()
  let watch: ApprovalWatch | undefined
  const follower = opening.use(
    openTopicFollower({
      log: { config: config.log, data_dir },
      topic: 'cairn.approvals',
      logger,
      onRecords: (records) => watch?.take(records),
    }),
  )
  watch = opening.use(
    openApprovalWatch({
      deployment,
      gateway: `${config.gateway.id}/${index}`,
      owns: ownership(options),
      judges_unknown: index === 0,
      recorder,
      holds,
      key,
      reached: () => follower.reached(),
      now_ms: Date.now,
      logger,
    }),
  )
  const open = opening.move()
  return { holds, [Symbol.asyncDispose]: () => open.disposeAsync() }
}
