import { setTimeout as sleep } from 'node:timers/promises'
import { readApprovalRecord, type ApprovalRecord } from '#core/approval/fold.ts'
import type { Config } from '#lib/config/schema.ts'
import { counter } from '#lib/metrics.ts'
import type { BatchContext, Log, LogSubscription, StoredRecord } from '#lib/log/port.ts'
import { signMessage } from './webhook-signature.ts'

type WebhookConfig = Config['approvals']['webhooks'][number]

/** How long an endpoint may take for its answer, milliseconds. */
const answer_timeout_ms = 10_000
/** Between two tries, doubling from the first to the last, milliseconds. */
const retry_ms = { first: 500, max: 30_000 } as const
/** Characters of a command's text in a message; people see all of it where they decide. */
const text_chars_max = 4_000

const no_bytes = Buffer.alloc(0)

/** What a webhook is told: an event about an approval, with what is needed to show and decide it. */
const messageOf = (
  { decoded: { type, event }, id }: ApprovalRecord,
  include_text: boolean,
): object => {
  const { actor, pipeline, target } = event.context
  const common = {
    type,
    time: new Date(event.time / 1000).toISOString(),
    approval: id,
    deployment: event.context.deployment,
    actor: actor === null ? null : { subject: actor.subject, display_name: actor.display_name },
    run: pipeline === null ? null : { repository: pipeline.repository, run: pipeline.run },
    target: target === null ? null : `${target.name}/${target.database}`,
  }
  if (type === 'approval.requested')
    return {
      ...common,
      command_hash: event.command_hash.toString('hex'),
      text: include_text ? event.text.slice(0, text_chars_max) : '',
      reason: event.reason,
      rules: event.rules,
      groups: event.approver_groups,
      quorum: event.quorum,
      expires: new Date(event.expires / 1000).toISOString(),
      estimated_rows: event.estimated_rows,
      link: event.link,
    }
  if (type === 'approval.decided')
    return { ...common, decision: event.decision, by: event.approver_subject, reason: event.reason }
  if (type === 'approval.consumed') return { ...common, approvers: event.approvers }
  return { ...common, reason: event.reason }
}

export type WebhookSenderOptions = {
  readonly log: Pick<Log, 'subscribe'>
  readonly webhook: WebhookConfig
  /** Milliseconds since 1970. */
  readonly now_ms: () => number
  readonly onTrouble: (error: Error) => void
}

/**
 * Tells an endpoint what happens to approvals: each event at least once, those of one session in their order, from where it was when the api was stopped.
 * An endpoint that does not take a message gets it again, until `give_up_s` after the event; then it is left out, and said.
 */
export const openWebhookSender = async (
  options: WebhookSenderOptions,
): Promise<LogSubscription> => {
  const { webhook, now_ms } = options
  const sent = counter({
    name: 'api_webhook_messages_total',
    help: 'Webhook messages about approvals, by endpoint and what became of them.',
    labels: ['webhook', 'outcome'],
  })
  const wanted: ReadonlySet<string> = new Set(webhook.events)

  /** One try; why it failed, or null. */
  const post = async (id: string, body: string, signal: AbortSignal): Promise<string | null> => {
    const timeout = AbortSignal.timeout(answer_timeout_ms)
    try {
      const response = await fetch(webhook.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...signMessage(webhook.secret, { id, body }, now_ms()),
        },
        body,
        // A redirect would take the text elsewhere.
        redirect: 'error',
        signal: AbortSignal.any([signal, timeout]),
      })
      await response.body?.cancel()
      return response.ok ? null : `it answered ${response.status}`
    } catch (error) {
      return error instanceof Error ? error.name : 'it cannot be reached'
    }
  }

  const deliver = async (
    record: ApprovalRecord,
    { signal, heartbeat }: BatchContext,
  ): Promise<void> => {
    const body = JSON.stringify(messageOf(record, webhook.include_text))
    const until_ms = record.decoded.event.time / 1000 + webhook.give_up_s * 1000
    for (let wait_ms: number = retry_ms.first; ; wait_ms = Math.min(wait_ms * 2, retry_ms.max)) {
      const failure = await post(record.leaf, body, signal)
      signal.throwIfAborted()
      if (failure === null) {
        sent.inc({ webhook: webhook.name, outcome: 'taken' })
        return
      }
      sent.inc({ webhook: webhook.name, outcome: 'failed' })
      options.onTrouble(new Error(`webhook ${webhook.name}: ${failure}`))
      if (now_ms() > until_ms) {
        sent.inc({ webhook: webhook.name, outcome: 'given_up' })
        options.onTrouble(new Error(`webhook ${webhook.name}: given up ${record.leaf}`))
        return
      }
      for (let left_ms = wait_ms; left_ms > 0; left_ms -= 1_000) {
        await sleep(Math.min(left_ms, 1_000), undefined, { signal })
        await heartbeat()
      }
    }
  }

  const take = async (stored: StoredRecord, context: BatchContext): Promise<void> => {
    const record = readApprovalRecord(stored.value, stored.headers['cairn-leaf'] ?? no_bytes)
    if (record !== null && wanted.has(record.decoded.type)) await deliver(record, context)
    await context.done(stored.offset)
  }

  return options.log.subscribe({
    group: `approval-webhook-${webhook.name}`,
    topics: ['cairn.approvals'],
    // What happened before the webhook was there is of no use to anybody.
    from: 'end',
    onBatch: async ({ records }, context) => {
      for (const record of records) await take(record, context)
    },
    onTrouble: options.onTrouble,
  })
}
