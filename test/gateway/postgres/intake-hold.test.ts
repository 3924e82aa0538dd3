import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EventBodies, EventType } from '#core/events/types.ts'
import { createSqlAnalyzer } from '#core/sql/analyzer.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { redactSecrets } from '#core/sql/redaction.ts'
import type { NativeError } from '../../../services/gateway/protocols/postgres/errors.ts'
import { openIntake } from '../../../services/gateway/protocols/postgres/intake.ts'
import { openReceiver } from '../../../services/gateway/protocols/postgres/receive.ts'
import { newSessionState } from '../../../services/gateway/protocols/postgres/state.ts'
import { openStatementReader } from '../../../services/gateway/protocols/postgres/statement.ts'
import { wire } from '../../support/wire-client.ts'

/** Waiting changes when bytes go, and nothing else: whatever a client sends, in whatever parts. */
const analyzer = createSqlAnalyzer(await loadSqlParser())
const statements = openStatementReader({
  analyze: (text) => analyzer.analyze(text),
  redact: redactSecrets,
  text_bytes_max: 64 * 1024,
})

const held_text = 'alter table held add c int'
const refused: NativeError = { severity: 'ERROR', code: '42501', message: 'no' }

type Outcome = 'allow' | 'hold' | 'deny'

/** The client's half on its own: nothing answers. `end` is how every wait ends, at once or when the next bytes have come. */
const openClientHalf = (outcome: Outcome, end: NativeError | null, late: boolean) => {
  const minted: { type: EventType; body: EventBodies[EventType] }[] = []
  const recorder = {
    id: Buffer.alloc(32),
    records: 0,
    leaf: Buffer.alloc(32),
    append: <T extends EventType>(type: T, body: EventBodies[T]): number =>
      minted.push({ type, body }) - 1,
  }
  const state = {
    ...newSessionState(new Map([['search_path', '"$user", public']]), true),
    refusedPortal: 'cairn refused',
  }
  const decided = (text: string, kind: string): Outcome => {
    if (text !== held_text) return 'allow'
    return outcome === 'deny' && (kind === 'prepare' || kind === 'describe') ? 'allow' : outcome
  }
  const intake = openIntake({
    state,
    recorder,
    receive: openReceiver({
      recorder,
      decide: ({ statement, kind }) => ({
        outcome: decided(statement.text, kind),
        rules: [],
        reason: '',
        policy_digest: '',
        risk: 0,
        dry_run: false,
        hold:
          decided(statement.text, kind) === 'hold'
            ? { groups: ['dba'], quorum: 1, expires_s: 60, rules: [] }
            : null,
      }),
      counted: () => undefined,
    }),
    wouldHold: ({ statement }) => outcome === 'hold' && statement.text === held_text,
    statements,
    message_bytes_max: 64 * 1024,
    statements_max: 100,
    portals_max: 100,
    parameters_bytes_max: 1024,
    masks: null,
    chunk_bytes_max: 1024,
  })
  const forwarded: Buffer[] = []
  let violation = false

  const runOnce = (): void => {
    if (violation) return
    const result = intake.run()
    if (result.kind === 'violation') violation = true
    else forwarded.push(...result.batch.pieces)
  }
  const settle = (): void => {
    // A stream that makes no sense waits for nobody.
    while (intake.holding) {
      intake.resume(end)
      runOnce()
    }
  }
  return {
    push: (bytes: Buffer): void => {
      if (violation) return
      intake.push(bytes)
      if (late) settle()
      if (!intake.holding) runOnce()
      if (!late) settle()
    },
    /** What went so far, without the Flush messages that ask for answers early. */
    sent: (): string => withoutFlush(Buffer.concat(forwarded)),
    finish: (): void => {
      settle()
      runOnce()
    },
    holding: () => intake.holding,
    violated: () => violation,
  }
}

const withoutFlush = (bytes: Buffer): string => {
  const kept: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + bytes.readInt32BE(at + 1)
    if (bytes[at] !== 0x48) kept.push(bytes.subarray(at, end))
    at = end
  }
  return Buffer.concat(kept).toString('latin1')
}

/** Complete groups and simple queries: what a name means then does not hang on how the bytes were cut, as it may where names are unknown. */
const texts = fc.constantFrom(held_text, 'select 1', 'delete from t', 'prepare q as select 1', '')
const ends = fc.constantFrom(wire.sync(), wire.flush(), Buffer.alloc(0))
const message: fc.Arbitrary<Buffer> = fc.oneof(
  texts.map((text) => wire.query(text)),
  fc.constantFrom(wire.sync(), wire.flush()),
  fc
    .tuple(texts, fc.boolean(), ends)
    .map(([text, describe_too, end]) =>
      Buffer.concat([
        wire.parse(text),
        wire.bind(),
        ...(describe_too ? [wire.describe('P')] : []),
        wire.execute(),
        end,
      ]),
    ),
  fc
    .tuple(texts, texts)
    .map(([one, other]) =>
      Buffer.concat([
        wire.parse(one, 'one'),
        wire.parse(other, 'other'),
        wire.bind([], 'one', 'first'),
        wire.bind([], 'other', 'second'),
        wire.execute('second'),
        wire.execute('first'),
        wire.close('P', 'first'),
        wire.close('S', 'one'),
        wire.close('S', 'other'),
        wire.sync(),
      ]),
    ),
)
const stream = fc.array(
  fc.array(message, { minLength: 1, maxLength: 6 }).map((messages) => Buffer.concat(messages)),
  {
    minLength: 1,
    maxLength: 4,
  },
)
const runs = { numRuns: Number(process.env['CAIRN_FUZZ_RUNS'] ?? 400) }

describe('a wait', () => {
  it.each([false, true])(
    'that ends in a yes sends what no wait would have sent (late: %s)',
    (late) => {
      fc.assert(
        fc.property(stream, (chunks) => {
          const plain = openClientHalf('allow', null, false)
          const waiting = openClientHalf('hold', null, late)
          for (const chunk of chunks) {
            plain.push(chunk)
            waiting.push(chunk)
          }
          plain.finish()
          waiting.finish()
          expect(waiting.sent()).toBe(plain.sent())
        }),
        runs,
      )
    },
  )

  it('that ends in a no sends what a refusal would have sent', () => {
    fc.assert(
      fc.property(stream, (chunks) => {
        const denied = openClientHalf('deny', null, false)
        const waiting = openClientHalf('hold', refused, false)
        for (const chunk of chunks) {
          denied.push(chunk)
          waiting.push(chunk)
        }
        denied.finish()
        waiting.finish()
        expect(waiting.sent()).toBe(denied.sent())
      }),
      runs,
    )
  })

  it('that does not end lets nothing by, and what went before is a beginning of it all', () => {
    fc.assert(
      fc.property(stream, (chunks) => {
        const plain = openClientHalf('allow', null, false)
        const stuck = openClientHalf('hold', null, true)
        for (const chunk of chunks) plain.push(chunk)
        stuck.push(chunks[0]!)
        plain.finish()
        expect(plain.sent().startsWith(stuck.sent())).toBe(true)
        // Whatever was not asked for yet may have been let by for its kind only: preparing.
        const lone = stuck.sent().split(`Q\0\0\0\u001f${held_text}`)
        expect(lone).toHaveLength(1)
      }),
      runs,
    )
  })
})
