import { hash, randomBytes } from 'node:crypto'
import { catalogue } from '#core/events/catalogue.ts'
import { encodeContext, encodeValue } from '#core/events/codec.ts'
import { encodeHeader, leafHash, valueHash, zero_hash } from '#core/events/header.ts'
import type { Context, EventBodies, EventType } from '#core/events/types.ts'
import type { LogRecord } from '#lib/log/port.ts'

/** What one gateway process would write, without the gateway: headers, chains and values are the real ones. */
export type GatewayLog = {
  readonly gateway: Buffer
  readonly epoch: Buffer
  /** An event outside any session. */
  readonly event: <T extends EventType>(type: T, body: EventBodies[T]) => Produced
  /** A session from start to end, in order. */
  readonly session: (options?: SessionOptions) => ProducedSession
}

export type Produced = { readonly topic: string; readonly record: LogRecord }

export type ProducedSession = {
  /** Session id, hex. */
  readonly id: string
  readonly records: readonly Produced[]
}

type SessionOptions = {
  readonly subject?: string
  readonly commands?: number
  /** Text of the nth command. */
  readonly text?: (index: number) => string
  /** Bytes of each command's response; null for none. */
  readonly response?: Buffer | null
  /** Leaves out session.ended. */
  readonly open?: boolean
}

const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer')
const base_us = Date.UTC(2026, 10, 21) * 1000

const contextOf = (gateway: string, session: Buffer, subject: string): Context => ({
  deployment: 'test',
  gateway,
  session,
  actor: {
    kind: 'workload',
    issuer: 'https://issuer.example',
    subject,
    display_name: subject,
    groups: ['ci', 'deployers'],
    credential_fingerprint: sha256(subject).toString('hex'),
    token_id: 'token-1',
  },
  pipeline: {
    provider: 'github',
    repository: 'octo/shop',
    ref: 'refs/heads/main',
    sha: 'a'.repeat(40),
    workflow: 'deploy',
    run: '4711',
    run_attempt: '1',
    job: 'migrate',
    environment: 'production',
    triggering_user: 'octocat',
    runner: 'ubuntu-latest',
    approval_ticket: '',
  },
  peer: {
    address: '127.0.0.1',
    port: 54_321,
    client_software: 'psql',
    tls: 'TLSv1.3',
    fingerprint: '',
  },
  target: { name: 'shop', protocol: 'postgres', database: 'shop', role: 'app' },
})

export const commandReceived = (text: string): EventBodies['command.received'] => ({
  text,
  text_bytes: Buffer.byteLength(text),
  text_sha256: sha256(text),
  kind: 'execute',
  native: ['Parse', 'Bind', 'Execute'],
  verb: 'select',
  fingerprint: '0123456789abcdef',
  statements: [
    {
      verb: 'select',
      offset: 0,
      length: text.length,
      effects: [{ action: 'select', object: 'public.orders', columns: [], via: '' }],
    },
  ],
  statement_name: '',
  portal_name: '',
  parameters: [
    { type_oid: 23, format: 'text', value: '42', masked: false, value_bytes: 2 },
    { type_oid: 25, format: 'text', value: null, masked: false, value_bytes: -1 },
  ],
  row_limit: 0,
  parse_error: '',
  pure_read: true,
  masked: [],
})

/** Opens the log of a gateway process that writes nowhere: what it mints is returned. */
export const openGatewayLog = (name = 'gw-1/0', epoch = randomBytes(16)): GatewayLog => {
  const gateway = sha256(name).subarray(0, 16)
  let gseq = 0

  type Chain = { session: Buffer; sseq: number; sprev: Buffer }

  const mint = <T extends EventType>(
    type: T,
    body: EventBodies[T],
    context: Buffer,
    chain: Chain | null,
  ): Produced => {
    const { code, schemaHash, topic } = catalogue[type]
    const wall_us = base_us + gseq * 1000
    const value = encodeValue(type, wall_us, context, body)
    const header = encodeHeader({
      gateway,
      epoch,
      gseq,
      session: chain?.session ?? zero_hash,
      sseq: chain?.sseq ?? 0,
      sprev: chain?.sprev ?? zero_hash,
      code,
      wall_us,
      mono_ns: gseq * 1_000_000,
      schema: schemaHash,
      value: valueHash(value),
      value_bytes: value.length,
    })
    gseq++
    const leaf = leafHash(header)
    if (chain !== null) {
      if (type === 'session.started') chain.session = leaf
      chain.sseq++
      chain.sprev = leaf
    }
    return {
      topic,
      record: {
        key: chain === null ? gateway : chain.session,
        value,
        headers: { 'cairn-leaf': header, 'cairn-code': Buffer.from(code) },
      },
    }
  }

  return {
    gateway,
    epoch,
    event: (type, body) =>
      mint(
        type,
        body,
        encodeContext({
          deployment: 'test',
          gateway: name,
          session: zero_hash,
          actor: null,
          pipeline: null,
          peer: null,
          target: null,
        }),
        null,
      ),
    session: (options = {}) => {
      const { subject = 'repo:octo/shop', commands = 3, response = Buffer.from('row') } = options
      const text = options.text ?? ((index) => `select * from orders where id = ${index}`)
      const chain: Chain = { session: zero_hash, sseq: 0, sprev: zero_hash }
      const records = [
        mint(
          'session.started',
          {
            protocol_version: '3.0',
            parameters: { application_name: 'psql', options: '' },
            decision: 'allow',
            rules: ['deploy'],
            policy_digest: 'd'.repeat(64),
            credential: 'shop-app',
            target_user: 'app',
          },
          encodeContext(contextOf(name, zero_hash, subject)),
          chain,
        ),
      ]
      const context = encodeContext(contextOf(name, chain.session, subject))
      for (let index = 0; index < commands; index++) {
        const command = chain.sseq
        records.push(
          mint('command.received', commandReceived(text(index)), context, chain),
          mint(
            'decision.made',
            {
              command,
              outcome: 'allow',
              rules: ['deploy'],
              reason: 'allowed',
              policy_digest: 'd'.repeat(64),
              risk: 0,
              dry_run: false,
            },
            context,
            chain,
          ),
        )
        if (response !== null)
          records.push(
            mint(
              'response.chunk',
              {
                command,
                stream: 'rows',
                format: 'pg3',
                offset: 0,
                bytes: response,
                masked: index % 2 === 0 ? [] : [{ rule: 'cards', count: 2 }],
              },
              context,
              chain,
            ),
          )
        records.push(
          mint(
            'command.completed',
            {
              command,
              status: 'ok',
              tag: 'SELECT 1',
              rows: 1,
              response_bytes: response?.length ?? 0,
              input_bytes: 0,
              duration_us: 1500,
              error_code: '',
              error_message: '',
            },
            context,
            chain,
          ),
        )
      }
      if (options.open !== true)
        records.push(
          mint(
            'session.ended',
            {
              reason: 'client_closed',
              detail: '',
              commands,
              refused: 0,
              records: chain.sseq + 1,
              client_bytes: 100,
              target_bytes: 200,
              duration_us: 9000,
            },
            context,
            chain,
          ),
        )
      return { id: chain.session.toString('hex'), records }
    },
  }
}
