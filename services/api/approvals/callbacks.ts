import type { Actor } from '#core/events/types.ts'
import type { Config } from '#lib/config/schema.ts'
import type { DecidingPerson } from './decisions.ts'
import { checkMessage, type SignedHeaders, type Unsigned } from './webhook-signature.ts'

type WebhookConfig = Config['approvals']['webhooks'][number]

/** Messages remembered, so that none is taken twice; beyond, callbacks are refused until some are too old to be taken. */
const remembered_max = 10_000

export type CallbackResult =
  | { readonly kind: 'person'; readonly person: DecidingPerson }
  | { readonly kind: 'unknown_webhook' }
  | { readonly kind: 'refused'; readonly why: Unsigned | 'replayed' | 'unknown_user' | 'too_many' }

/** Proves who decides through a webhook's callback. */
export type Callbacks = (
  webhook: string,
  headers: Readonly<Record<keyof SignedHeaders, string | undefined>>,
  body: string,
  user: string,
) => CallbackResult

/** The callback's signature proves the chat's server, and that server's word proves its user: the configuration says which person that is. */
export const openCallbacks = (
  webhooks: readonly WebhookConfig[],
  now_ms: () => number,
): Callbacks => {
  /** Messages taken, and when each is too old to be taken again. */
  const taken = new Map<string, number>()

  const forgetOld = (): void => {
    for (const [id, until_ms] of taken) if (until_ms < now_ms()) taken.delete(id)
  }

  return (name, headers, body, user) => {
    const webhook = webhooks.find((one) => one.name === name)
    const callback = webhook?.callback
    if (callback === undefined) return { kind: 'unknown_webhook' }
    const { secret, window_s, identities } = callback
    const unsigned = checkMessage(secret, headers, body, { now_ms: now_ms(), window_s })
    if (unsigned !== null) return { kind: 'refused', why: unsigned }
    const id = `${name} ${headers['webhook-id']}`
    forgetOld()
    if (taken.has(id)) return { kind: 'refused', why: 'replayed' }
    if (taken.size >= remembered_max) return { kind: 'refused', why: 'too_many' }
    // A timestamp may lie as far ahead as behind.
    taken.set(id, now_ms() + 2 * window_s * 1000)
    const known = identities.find((one) => one.user === user)
    if (known === undefined) return { kind: 'refused', why: 'unknown_user' }
    const { issuer, subject, groups, names } = known
    const actor: Actor = {
      kind: 'human',
      issuer,
      subject,
      display_name: subject,
      groups,
      credential_fingerprint: '',
      token_id: '',
    }
    return { kind: 'person', person: { issuer, subject, groups, names, actor, pipeline: null } }
  }
}
