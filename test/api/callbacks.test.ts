import { describe, expect, it } from 'vitest'
import { configSchema } from '#lib/config/schema.ts'
import { secretOf } from '#lib/config/secret.ts'
import { openCallbacks } from '../../services/api/approvals/callbacks.ts'
import { checkMessage, signMessage } from '../../services/api/approvals/webhook-signature.ts'

const out = 'a-secret-for-messages'
const back = secretOf('a-secret-for-callbacks')
const start_ms = Date.UTC(2026, 0, 1)

const config = (more: Readonly<Record<string, unknown>> = {}) =>
  configSchema.parse({
    approvals: {
      webhooks: [
        {
          name: 'chat',
          url: 'https://chat.example/hook',
          secret: out,
          callback: {
            secret: back.reveal(),
            identities: [
              { user: 'U1', issuer: 'https://people.example', subject: 'grace', groups: ['dba'] },
            ],
            ...more,
          },
        },
        { name: 'quiet', url: 'https://chat.example/other', secret: out },
      ],
    },
  }).approvals.webhooks

const body = '{"approval":"3f9a2b","decision":"approve","user":"U1"}'
const signed = (id = 'm1', at_ms = start_ms, secret = back) =>
  signMessage(secret, { id, body }, at_ms)

describe('a signed message', () => {
  const when = { now_ms: start_ms, window_s: 300 }

  it('has the signature that the specification gives for its example', () => {
    const headers = signMessage(
      secretOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'),
      { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' },
      1_614_265_330_000,
    )
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  it('is good with its own body, id, time and secret only', () => {
    expect(checkMessage(back, signed(), body, when)).toBeNull()
    expect(checkMessage(back, signed(), `${body} `, when)).toBe('bad_signature')
    expect(checkMessage(secretOf(out), signed(), body, when)).toBe('bad_signature')
    expect(checkMessage(back, { ...signed(), 'webhook-id': 'm2' }, body, when)).toBe(
      'bad_signature',
    )
    const later = { ...signed(), 'webhook-timestamp': String(start_ms / 1000 + 1) }
    expect(checkMessage(back, later, body, when)).toBe('bad_signature')
    expect(checkMessage(back, { ...signed(), 'webhook-signature': 'v1,' }, body, when)).toBe(
      'bad_signature',
    )
    expect(checkMessage(back, { ...signed(), 'webhook-signature': undefined }, body, when)).toBe(
      'missing',
    )
  })

  it('is stale outside of its window, on either side', () => {
    const at = (seconds: number) =>
      checkMessage(back, signed(), body, { now_ms: start_ms + seconds * 1000, window_s: 300 })
    expect(at(299)).toBeNull()
    expect(at(-299)).toBeNull()
    expect(at(301)).toBe('stale')
    expect(at(-301)).toBe('stale')
  })

  it('may carry several signatures while a secret is changed', () => {
    const both = `v1,AAAA ${signed()['webhook-signature']}`
    expect(checkMessage(back, { ...signed(), 'webhook-signature': both }, body, when)).toBeNull()
  })
})

describe('a callback', () => {
  it('is the person that the configuration names', () => {
    const callbacks = openCallbacks(config(), () => start_ms)
    expect(callbacks('chat', signed(), body, 'U1')).toMatchObject({
      kind: 'person',
      person: { issuer: 'https://people.example', subject: 'grace', groups: ['dba'] },
    })
  })

  it('of a user who is nobody is refused', () => {
    const callbacks = openCallbacks(config(), () => start_ms)
    expect(callbacks('chat', signed(), body, 'U2')).toEqual({
      kind: 'refused',
      why: 'unknown_user',
    })
  })

  it('is taken once', () => {
    let now_ms = start_ms
    const callbacks = openCallbacks(config(), () => now_ms)
    expect(callbacks('chat', signed(), body, 'U1').kind).toBe('person')
    expect(callbacks('chat', signed(), body, 'U1')).toEqual({ kind: 'refused', why: 'replayed' })
    now_ms += 200_000
    expect(callbacks('chat', signed(), body, 'U1')).toEqual({ kind: 'refused', why: 'replayed' })
    now_ms += 200_000
    expect(callbacks('chat', signed(), body, 'U1')).toEqual({ kind: 'refused', why: 'stale' })
  })

  it('signed with the secret of the messages is none', () => {
    const callbacks = openCallbacks(config(), () => start_ms)
    expect(callbacks('chat', signed('m1', start_ms, secretOf(out)), body, 'U1')).toEqual({
      kind: 'refused',
      why: 'bad_signature',
    })
    expect(() => config({ secret: out })).toThrow(/another one/)
  })

  it('of a webhook without one is not found', () => {
    const callbacks = openCallbacks(config(), () => start_ms)
    expect(callbacks('quiet', signed(), body, 'U1').kind).toBe('unknown_webhook')
    expect(callbacks('nobody', signed(), body, 'U1').kind).toBe('unknown_webhook')
  })
})
