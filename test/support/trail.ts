import { hash, randomBytes } from 'node:crypto'
import { catalogue } from '#core/events/catalogue.ts'
import { encodeContext, encodeValue } from '#core/events/codec.ts'
import { encodeHeader, leafHash, valueHash, zero_hash } from '#core/events/header.ts'
import type { Context, EventBodies, EventType } from '#core/events/types.ts'
import type { LogRecord } from '#lib/log/port.ts'

/** Records as a gateway mints them, whole chains, for tests of what reads the trail. */
export interface Trail {
  /** Opens a session; what is not given is made up. */
  session(context?: Partial<Context>, body?: Partial<EventBodies['session.started']>): TrailSession
  /** Everything minted so far, in order. */
  readonly records: readonly LogRecord[]
}

export interface TrailSession {
  readonly id: string
  /** Mints a record and returns its sseq. */
  add<T extends EventType>(type: T, body: EventBodies[T]): number
  /** A command that is allowed, with its answer; returns the command's id. */
  command(text: string, more?: TrailCommand): number
  end(): void
}

export type TrailCommand = {
  readonly verb?: string
  readonly outcome?: 'allow' | 'deny'
  readonly parameters?: EventBodies['command.received']['parameters']
  readonly kind?: EventBodies['command.received']['kind']
  readonly statement_name?: string
  /** Backend messages (PostgreSQL protocol 3). */
  readonly response?: Buffer
  readonly error?: { readonly code: string; readonly message: string }
  readonly rows?: number
}

const some_context: Omit<Context, 'session'> = {
  deployment: 'test',
  gateway: 'gw-1/0',
  actor: {
    kind: 'workload',
    issuer: 'https://ci.example.test',
    subject: 'repo:acme/shop:ref:refs/heads/main',
    display_name: 'acme-bot',
    groups: [],
    credential_fingerprint: 'ab'.repeat(32),
    token_id: 'jti-1',
  },
  pipeline: {
    provider: 'github',
    repository: 'acme/shop',
    ref: 'refs/heads/main',
    sha: '0f1e2d3c',
    workflow: 'nightly-report',
    run: '4711',
    run_attempt: '1',
    job: 'report',
    environment: '',
    triggering_user: 'ana',
    runner: 'hosted',
    approval_ticket: '',
  },
  peer: {
    address: '127.0.0.1',
    port: 50_000,
    client_software: 'psql',
    tls: 'TLSv1.3',
    fingerprint: '',
  },
  target: { name: 'shop', protocol: 'postgres', database: 'shop', role: 'reader' },
}

const some_start: EventBodies['session.started'] = {
  protocol_version: '3.0',
  parameters: {},
  decision: 'allow',
  rules: ['nightly-report-reads'],
  policy_digest: '',
  credential: 'shop-reader',
  target_user: 'shop_reader',
}

export type TrailOptions = {
  /** Microseconds since 1970 of the first record; each further one is a millisecond later. */
  readonly start_us?: number
}

/** Opens a trail of one gateway process. */
export const createTrail = (options: TrailOptions = {}): Trail => {
  const gateway = hash('sha256', 'gw-1/0', 'buffer').subarray(0, 16)
  const epoch = randomBytes(16)
  const records: LogRecord[] = []
  let time_us = options.start_us ?? Date.now() * 1000
  let gseq = 0

  const mint = <T extends EventType>(
    type: T,
    body: EventBodies[T],
    context: Context,
    chain: { sseq: number; sprev: Buffer; id: Buffer },
  ): number => {
    const { code, schemaHash } = catalogue[type]
    const first = chain.sseq === 0
    const value = encodeValue(type, time_us, encodeContext(context), body)
    const header = encodeHeader({
      gateway,
      epoch,
      gseq: gseq++,
      session: chain.id,
      sseq: chain.sseq,
      sprev: chain.sprev,
      code,
      wall_us: time_us,
      mono_ns: gseq * 1_000_000,
      schema: schemaHash,
      value: valueHash(value),
      value_bytes: value.length,
    })
    time_us += 1000
    chain.sprev = leafHash(header)
    if (first) chain.id = chain.sprev
    records.push({
      key: chain.id,
      value,
      headers: { 'cairn-leaf': header, 'cairn-code': Buffer.from(code) },
    })
    return chain.sseq++
  }

  return {
    records,
    session: (given = {}, started = {}) => {
      const context = { ...some_context, ...given }
      const chain = { sseq: 0, sprev: zero_hash, id: zero_hash }
      mint(
        'session.started',
        { ...some_start, ...started },
        { ...context, session: zero_hash },
        chain,
      )
      const add = <T extends EventType>(type: T, body: EventBodies[T]): number =>
        mint(type, body, { ...context, session: chain.id }, chain)
      let commands = 0
      let refused = 0
      return {
        id: chain.id.toString('hex'),
        add,
        command: (text, more = {}) => {
          commands++
          const id = add('command.received', received(text, more))
          const outcome = more.outcome ?? 'allow'
          add('decision.made', {
            command: id,
            outcome,
            rules: [outcome === 'allow' ? 'nightly-report-reads' : 'builtin:default-deny'],
            reason: 'as the test says',
            policy_digest: '',
            risk: 1,
            dry_run: false,
          })
          if (outcome === 'deny') {
            refused++
            add('command.refused', {
              command: id,
              reason: 'policy_denied',
              native_code: '42501',
              message: 'refused by policy',
            })
            return id
          }
          const response = more.response ?? Buffer.alloc(0)
          if (response.length > 0)
            add('response.chunk', {
              command: id,
              stream: 'rows',
              format: 'pg3',
              offset: 0,
              bytes: response,
              masked: [],
            })
          add('command.completed', {
            command: id,
            status: more.error === undefined ? 'ok' : 'error',
            tag: more.error === undefined ? 'SELECT 1' : '',
            rows: more.error === undefined ? (more.rows ?? 1) : -1,
            response_bytes: response.length,
            input_bytes: 0,
            duration_us: 1234,
            error_code: more.error?.code ?? '',
            error_message: more.error?.message ?? '',
          })
          return id
        },
        end: () => {
          add('session.ended', {
            reason: 'client_closed',
            detail: '',
            commands,
            refused,
            records: chain.sseq + 1,
            client_bytes: 100,
            target_bytes: 200,
            duration_us: 5_000_000,
          })
        },
      }
    },
  }
}

const received = (text: string, more: TrailCommand): EventBodies['command.received'] => ({
  text,
  text_bytes: Buffer.byteLength(text),
  text_sha256: hash('sha256', text, 'buffer'),
  kind: more.kind ?? 'query',
  native: ['Query'],
  verb: more.verb ?? 'select',
  fingerprint: '',
  statements: [],
  statement_name: more.statement_name ?? '',
  portal_name: '',
  parameters: more.parameters ?? [],
  row_limit: 0,
  parse_error: '',
  pure_read: true,
  masked: [],
})

/** A backend message: type, length, body. */
const message = (type: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

const cstring = (text: string): Buffer => Buffer.from(`${text}\0`)

/** RowDescription in text format. */
export const rowDescription = (
  columns: readonly { readonly name: string; readonly oid?: number; readonly binary?: boolean }[],
): Buffer =>
  message(
    'T',
    Buffer.concat([
      int16(columns.length),
      ...columns.flatMap(({ name, oid = 25, binary = false }) => [
        cstring(name),
        int32(0),
        int16(0),
        int32(oid),
        int16(-1),
        int32(-1),
        int16(binary ? 1 : 0),
      ]),
    ]),
  )

/** DataRow. */
export const dataRow = (cells: readonly (string | Buffer | null)[]): Buffer =>
  message(
    'D',
    Buffer.concat([
      int16(cells.length),
      ...cells.flatMap((cell) => {
        if (cell === null) return [int32(-1)]
        const bytes = Buffer.from(cell)
        return [int32(bytes.length), bytes]
      }),
    ]),
  )

export const commandComplete = (tag: string): Buffer => message('C', cstring(tag))

/** ErrorResponse (E) or NoticeResponse (N). */
export const notice = (type: 'E' | 'N', fields: Readonly<Record<string, string>>): Buffer =>
  message(
    type,
    Buffer.concat([
      ...Object.entries(fields).map(([letter, text]) =>
        Buffer.concat([Buffer.from(letter), cstring(text)]),
      ),
      Buffer.from([0]),
    ]),
  )

export const copyData = (bytes: Buffer): Buffer => message('d', bytes)

/** ParameterDescription: a statement is being described. */
export const parameterDescription = (oids: readonly number[]): Buffer =>
  message('t', Buffer.concat([int16(oids.length), ...oids.map(int32)]))
