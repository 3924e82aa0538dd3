import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EventBodies, EventType } from '#core/events/types.ts'
import { createSqlAnalyzer } from '#core/sql/analyzer.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { redactSecrets } from '#core/sql/redaction.ts'
import { openIntake } from '../../../services/gateway/protocols/postgres/intake.ts'
import { openReceiver } from '../../../services/gateway/protocols/postgres/receive.ts'
import { newSessionState } from '../../../services/gateway/protocols/postgres/state.ts'
import { openStatementReader } from '../../../services/gateway/protocols/postgres/statement.ts'
import { wire } from '../../support/wire-client.ts'

const analyzer = createSqlAnalyzer(await loadSqlParser())
const statements = openStatementReader({
  analyze: (text) => analyzer.analyze(text),
  redact: redactSecrets,
  text_bytes_max: 64 * 1024,
})

/** The client's half of a session on its own: nothing answers. */
const openClientHalf = () => {
  const minted: { type: EventType; body: EventBodies[EventType] }[] = []
  const recorder = {
    id: Buffer.alloc(32),
    records: 0,
    leaf: Buffer.alloc(32),
    append: <T extends EventType>(type: T, body: EventBodies[T]): number =>
      minted.push({ type, body }) - 1,
  }
  const state = newSessionState(new Map([['search_path', '"$user", public']]), true)
  const intake = openIntake({
    state,
    recorder,
    receive: openReceiver({
      recorder,
      decide: ({ statement }) => ({
        outcome: statement.text.includes('forbidden') ? 'deny' : 'allow',
        rules: [],
        reason: '',
        policy_digest: '',
        risk: 0,
        dry_run: false,
        hold: null,
      }),
      counted: () => undefined,
    }),
    wouldHold: () => false,
    statements,
    message_bytes_max: 64 * 1024,
    statements_max: 100,
    portals_max: 100,
    parameters_bytes_max: 1024,
    masks: null,
    chunk_bytes_max: 1024,
  })
  const run = (bytes: Buffer): { forwarded: Buffer; violation: boolean } => {
    intake.push(bytes)
    const result = intake.run()
    return {
      forwarded: Buffer.concat(result.batch.pieces),
      violation: result.kind === 'violation',
    }
  }
  const texts = (): string[] =>
    minted
      .filter(({ type }) => type === 'command.received')
      .map(({ body }) => (body as EventBodies['command.received']).text)
  /** Bytes recorded as COPY data: a damaged length can make it swallow what looks like messages, here and at the server. */
  const input = (): Buffer =>
    Buffer.concat(
      minted
        .filter(({ type }) => type === 'input.chunk')
        .map(({ body }) => (body as EventBodies['input.chunk']).bytes),
    )
  return { intake, state, run, texts, input }
}

describe('what is forwarded', () => {
  it('is the client’s own bytes, uncopied when they lie together', () => {
    const { run, intake } = openClientHalf()
    const bytes = Buffer.concat([wire.parse('select 1'), wire.bind(), wire.execute(), wire.sync()])
    expect(run(bytes).forwarded.equals(bytes)).toBe(true)
    expect(intake.parked).toBe(false)
  })

  it('has one failing message in the place of a refused command, and the rest as it was', () => {
    const { run, state } = openClientHalf()
    const before = Buffer.concat([wire.parse('select 1'), wire.bind(), wire.execute()])
    const refused = Buffer.concat([
      wire.parse('select forbidden', 'f'),
      wire.bind([], 'f'),
      wire.describe('P'),
      wire.execute(),
    ])
    const { forwarded } = run(Buffer.concat([before, refused, wire.sync()]))
    expect(
      forwarded.equals(Buffer.concat([before, wire.execute(state.refusedPortal), wire.sync()])),
    ).toBe(true)
  })

  it('has a query that is no SQL in the place of a refused simple query', () => {
    const { run } = openClientHalf()
    const { forwarded } = run(
      Buffer.concat([wire.query('select forbidden'), wire.query('select 2')]),
    )
    expect(
      forwarded.equals(Buffer.concat([wire.query('cairn_refused'), wire.query('select 2')])),
    ).toBe(true)
  })

  it('waits for answers when a meaning hangs on them, and asks the server to give them', () => {
    const { run, intake } = openClientHalf()
    const first = Buffer.concat([wire.parse("select 'a'", 's'), wire.sync()])
    const second = Buffer.concat([wire.close('S', 's'), wire.parse("select 'b'", 's'), wire.sync()])
    const { forwarded } = run(Buffer.concat([first, second, wire.bind([], 's'), wire.execute()]))
    expect(forwarded.equals(Buffer.concat([first, second]))).toBe(true)
    expect(intake.parked).toBe(true)
  })
})

const texts = fc.constantFrom(
  'select 1',
  'delete from t',
  'select forbidden',
  'prepare s as delete from t',
  'execute s',
  'deallocate all',
  "select 'é'",
  'copy t from stdin',
  '',
)
const names = fc.constantFrom('', 's', 'p')

const message: fc.Arbitrary<Buffer> = fc.oneof(
  texts.map((text) => wire.query(text)),
  fc.tuple(texts, names).map(([text, name]) => wire.parse(text, name)),
  fc.tuple(names, names).map(([name, portal]) => wire.bind(['1', null], name, portal)),
  names.map((name) => wire.execute(name, 1)),
  names.map((name) => wire.describe('S', name)),
  names.map((name) => wire.close('P', name)),
  fc.constantFrom(wire.sync(), wire.flush(), wire.copyDone(), wire.copyFail('x')),
  fc.uint8Array({ maxLength: 50 }).map((data) => wire.copyData(Buffer.from(data))),
  fc.nat(5000).map((oid) => wire.functionCall(oid, ['x'])),
)

/** Changes a byte or two of a message now and then: lengths, types, counts, ends of strings. */
const damaged: fc.Arbitrary<Buffer> = fc
  .tuple(message, fc.option(fc.tuple(fc.nat(200), fc.nat(255)), { freq: 3 }))
  .map(([bytes, damage]) => {
    if (damage === null) return bytes
    const copy = Buffer.from(bytes)
    copy[damage[0] % copy.length] = damage[1]
    return copy
  })

describe('whatever a client sends', () => {
  it('nothing throws, and every text that is forwarded is recorded and allowed', () => {
    fc.assert(
      fc.property(
        fc.array(damaged, { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        (messages, whole) => {
          const { run, texts: recorded, input } = openClientHalf()
          for (const bytes of whole ? [Buffer.concat(messages)] : messages) {
            const { forwarded, violation } = run(bytes)
            if (violation) return
            for (const text of ['delete from t', 'select forbidden', 'copy t from stdin'])
              if (forwarded.includes(text) && !input().includes(text)) {
                expect(recorded()).toContainEqual(expect.stringContaining(text))
                expect(text).not.toBe('select forbidden')
              }
          }
        },
      ),
      { numRuns: Number(process.env['CAIRN_FUZZ_RUNS'] ?? 3000) },
    )
  })

  it('memory does not grow with messages that mean nothing', () => {
    const { run, state } = openClientHalf()
    for (let i = 0; i < 2000; i++)
      run(Buffer.concat([wire.parse('select 1', `s${i}`), wire.bind([], `s${i}`, `p${i}`)]))
    expect(state.statements.size).toBeLessThanOrEqual(101)
    expect(state.portals.size).toBeLessThanOrEqual(101)
  })
})
