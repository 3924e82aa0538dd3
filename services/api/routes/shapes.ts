import { z } from 'zod'

/** Shapes that several routes share. */

const hex_id = /^[0-9a-f]{64}$/

/** Fewest digits of a shortened session id. */
const beginning_digits_min = 4

export const sessionBeginning = z
  .string()
  .toLowerCase()
  .regex(new RegExp(`^[0-9a-f]{${beginning_digits_min},64}$`), {
    error: `expected ${beginning_digits_min} to 64 hex digits`,
  })
  .describe('Session id, 64 hex digits, or a beginning that fits one session only.')

export const sessionId = z.string().regex(hex_id)

/** Rows of a page at most. */
const page_rows_max = 500

const filterText = (doc: string) => z.string().min(1).max(256).optional().describe(doc)

export const time = (doc: string) =>
  z.iso
    .datetime({
      offset: true,
      error: 'expected an RFC 3339 time, for example 2026-01-31T12:00:00Z',
    })
    .optional()
    .describe(doc)

export const filters = {
  target: filterText('Name of the target.'),
  role: filterText('Role at the target.'),
  actor: filterText('Subject or display name.'),
  repository: filterText('Repository of the CI run.'),
  run: filterText('Id of the CI run.'),
  verb: filterText('Verb of the first statement, for example select or ddl.drop.'),
  since: time('From this time on.'),
  until: time('Before this time.'),
} as const

export const page = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(page_rows_max)
    .default(100)
    .describe('Rows of a page at most.'),
  cursor: z.string().min(1).max(512).optional().describe('`next` of the page before.'),
} as const

export const next = z
  .string()
  .nullable()
  .describe('Cursor of the next page; null when this is the last.')

const timeText = (doc: string) => z.string().describe(`${doc} RFC 3339, microseconds, UTC.`)

export const actor = z
  .strictObject({
    kind: z.string().describe('human, workload or agent.'),
    issuer: z.string(),
    subject: z.string(),
    display_name: z.string(),
  })
  .describe('Identity behind the session, as its issuer proves it.')

export const pipeline = z
  .strictObject({
    provider: z.string(),
    repository: z.string(),
    ref: z.string(),
    sha: z.string(),
    workflow: z.string(),
    run: z.string(),
    run_attempt: z.string(),
    job: z.string(),
    environment: z.string(),
    triggering_user: z.string(),
  })
  .nullable()
  .describe('The CI run behind a workload; null for people.')

export const session = z.strictObject({
  id: sessionId,
  state: z.enum(['open', 'ended']).describe('open also when its gateway died without ending it.'),
  started_at: timeText('When it started.'),
  ended_at: timeText('When it ended.').nullable(),
  end_reason: z.string().nullable(),
  duration_us: z.number().nullable(),
  gateway: z.string(),
  protocol: z.string(),
  target: z.string(),
  database: z.string(),
  role: z.string(),
  target_user: z.string().describe('Account used at the target.'),
  rules: z.array(z.string()).describe('Rules that allowed the session.'),
  actor,
  pipeline,
  peer: z.strictObject({
    address: z.string(),
    port: z.int(),
    client_software: z.string().describe('As it states itself; not trusted.'),
    tls: z.string(),
  }),
  commands: z.number().describe('Commands so far.'),
  refused: z.number().describe('Commands refused so far.'),
  records: z.number().describe('Records so far.'),
})

export const command = z.strictObject({
  session: sessionId,
  command: z.number().describe('Sequence number of its command.received record in the session.'),
  at: timeText('When it was received.'),
  target: z.string(),
  database: z.string(),
  role: z.string(),
  actor,
  pipeline,
  kind: z.string(),
  verb: z.string(),
  text: z.string().describe('Its first 4096 characters; the whole is in the records.'),
  text_bytes: z.number(),
  fingerprint: z.string(),
  outcome: z.string().nullable().describe('allow, deny, hold or mask; null while undecided.'),
  rules: z.array(z.string()),
  status: z
    .string()
    .nullable()
    .describe('ok, error, suspended, cancelled, aborted, unknown, refused; null while it runs.'),
  rows: z.number().nullable(),
  response_bytes: z.number().nullable(),
  duration_us: z.number().nullable(),
  error_code: z.string().nullable(),
  error_message: z.string().nullable(),
})

export const sessionRecord = z.strictObject({
  sseq: z.number().describe('Sequence number in the session, from 0.'),
  type: z.string().describe('Event type, for example command.received.'),
  code: z.string(),
  time_us: z.number().describe('When it was minted, microseconds since 1970.'),
  gateway: z.string(),
  epoch: z.string(),
  gseq: z.number(),
  leaf: z.string().describe('Leaf hash of the record, hex.'),
  event: z
    .record(z.string(), z.unknown())
    .describe('Fields of the event (schemas: /subjects); bytes in base64, hashes and ids in hex.'),
  problem: z.string().nullable().describe('Why it was not understood; null if it was.'),
})
