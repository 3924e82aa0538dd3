import { z } from 'zod'
import { isLoopbackHost } from '../../loopback.ts'
import { name, secret, whole } from '../scalars.ts'

const httpUrl = (doc: string) =>
  z
    .string()
    .max(1024)
    .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
      error: 'expected an https:// or http:// URL',
    })
    .meta({ description: doc, format: 'uri' })

/** Where command texts are sent. */
const endpoint = httpUrl(
  'Where the messages are posted; https:// (http:// on loopback only).',
).refine(
  (value) => {
    const { protocol, hostname } = new URL(value)
    return protocol === 'https:' || isLoopbackHost(hostname)
  },
  { error: 'expected an https:// URL (http:// on loopback only)' },
)

const identity = z.strictObject({
  user: z.string().min(1).max(256).describe('User as the other side names it, letter for letter.'),
  issuer: httpUrl('Issuer of the same person: who requested with it cannot decide.'),
  subject: z.string().min(1).max(256).describe('Subject of that person at the issuer.'),
  groups: z.array(z.string().min(1).max(256)).max(1000).default([]).describe('Groups.'),
  names: z
    .array(z.string().min(1).max(256))
    .max(100)
    .default([])
    .describe('User names and addresses of that person, as CI and other issuers may have them.'),
})

const callback = z
  .strictObject({
    secret: secret('Verifies what comes back; another one than that of the messages.'),
    window_s: whole(10, 3600, 'How old a decision may be, and how far ahead its clock.').default(
      300,
    ),
    identities: z
      .array(identity)
      .min(1)
      .max(10_000)
      .describe('Who the users are; nobody else decides this way.'),
  })
  .describe('Decisions that come back, signed, at POST /v1/approvals/callbacks/NAME.')

const webhook = z
  .strictObject({
    name: name('Name; stands in the address of its callback.'),
    url: endpoint,
    secret: secret('Signs the messages (HMAC-SHA256).'),
    events: z
      .array(
        z.enum(['approval.requested', 'approval.decided', 'approval.expired', 'approval.consumed']),
      )
      .min(1)
      .default(['approval.requested', 'approval.decided', 'approval.expired', 'approval.consumed'])
      .describe('What it is told.'),
    include_text: z.boolean().default(true).describe('With the text of the command.'),
    give_up_s: whole(
      1,
      604_800,
      'How long after an event it is tried to tell it to an endpoint that does not take it.',
    ).default(3600),
    callback: callback.exactOptional(),
  })
  .refine(
    ({ secret: out, callback: back }) =>
      back === undefined || back.secret.reveal() !== out.reveal(),
    { error: 'callback.secret must be another one than secret', path: ['callback', 'secret'] },
  )

export const approvals = z
  .strictObject({
    link_base: z
      .union([z.literal(''), httpUrl('Address of the console.')])
      .default('')
      .describe('Where people decide: beginning of the links in notices and events; none without.'),
    holds_max: whole(
      1,
      100_000,
      'Commands of one gateway process that wait for people at once; more are refused.',
    ).default(1000),
    webhooks: z
      .array(webhook)
      .max(100)
      .default([])
      .describe('Endpoints (chat, ticket systems) that are told about approvals.'),
  })
  .prefault({})
  .describe('Commands that wait for people.')
