import { randomBytes, randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { decodeValue } from '#core/events/codec.ts'
import { runOf } from '#core/identity/run.ts'
import { ledgerKey } from '#lib/identity/token-ledger.ts'
import { topicSpecs } from '#lib/log/topics.ts'
import type { Log } from '#lib/log/port.ts'
import { openLogRecorder } from '#lib/log/recorder.ts'
import { openPlace, type LogPlace } from './log-open.ts'
import { startProgram, until, type Child } from './log-support.ts'
import type { LedgerChild, LedgerOrder } from './token-ledger-child.ts'

type Asked = LedgerOrder['tokens'][number]
type Outcome = { readonly token: string; readonly claim: string | null; readonly reason: string }

export type LedgerHarness = {
  readonly place: () => LogPlace
  /** Makes the log unable to take appends, and able again. */
  readonly interrupt: () => Promise<{ readonly recover: () => Promise<void> }>
}

const topics = topicSpecs({ partitions: 3, replication: 1, retention_hours: 168 }).filter(
  ({ name }) => name === 'cairn.tokens',
)

const newToken = (): string => randomBytes(32).toString('hex')
const runNamed = (name: string): string =>
  runOf(
    { issuer: 'https://issuer.example.test' },
    { repository: 'acme/shop', run: name, run_attempt: '1' },
  )

const startLedger = async (place: LogPlace, name: string): Promise<Child> => {
  const order: LedgerChild = { place, name }
  const child = startProgram('./token-ledger-child.ts', order)
  await child.next('ready')
  return child
}

const ask = (child: Child, tokens: readonly Asked[]): void =>
  child.tell(JSON.stringify({ tokens } satisfies LedgerOrder))

const outcomesOf = async (child: Child): Promise<readonly Outcome[]> =>
  (await child.next('outcomes'))['outcomes'] as readonly Outcome[]

/** Claims of the log by token, in the order of its partition. */
const claimsInOrder = async (log: Log): Promise<ReadonlyMap<string, readonly string[]>> => {
  const claims = new Map<string, string[]>()
  for (const { partition, low, high } of await log.lag('test', ['cairn.tokens']))
    for await (const { value } of log.read('cairn.tokens', partition, low, high)) {
      const decoded = decodeValue(value)
      if (!decoded.ok || decoded.type !== 'token.claimed') continue
      const { token, claim } = decoded.event
      const known = claims.get(token) ?? []
      if (!known.includes(claim)) claims.set(token, [...known, claim])
    }
  return claims
}

/** What ledgers promise, whatever log they stand on: several processes, one order. */
export const ledgerContract = (harness: LedgerHarness): void => {
  const open = async (): Promise<Log> => {
    const log = await openPlace(harness.place())
    await log.ensureTopics(topics)
    return log
  }
  const place = (): LogPlace => harness.place()

  test('of the claims of several processes the first in the log win, as many as a token has uses, and no other', async () => {
    await using log = await open()
    await using one = await startLedger(place(), 'gw-1/0/tokens')
    await using two = await startLedger(place(), 'gw-2/0/tokens')
    await using three = await startLedger(place(), 'gw-3/0/tokens')
    const children = [one, two, three]
    const tokens: Asked[] = Array.from({ length: 60 }, (_, at) => ({
      token: newToken(),
      run: at % 2 === 0 ? '' : runNamed(`run-${at % 7}`),
      uses: 1 + (at % 4),
    }))
    for (const child of children)
      ask(
        child,
        tokens.flatMap((token) => [token, token]),
      )
    const outcomes = (await Promise.all(children.map(outcomesOf))).flat()
    const in_log = await claimsInOrder(log)
    for (const { token, uses } of tokens) {
      const shown = outcomes.filter((outcome) => outcome.token === token)
      const won = shown.flatMap(({ claim }) => claim ?? [])
      expect(shown).toHaveLength(6)
      expect(won.toSorted()).toEqual(in_log.get(token)?.slice(0, uses).toSorted())
      expect(
        new Set(shown.flatMap(({ claim, reason }) => (claim === null ? [reason] : []))),
      ).toEqual(new Set(['token_replayed']))
    }
  })

  test('a ledger that starts later, or again after SIGKILL, knows what was used', async () => {
    await using log = await open()
    void log
    const token = { token: newToken(), run: '', uses: 2 }
    const first = await startLedger(place(), 'gw-1/0/tokens')
    ask(first, [token])
    expect(await outcomesOf(first)).toMatchObject([{ reason: '' }])
    first.signal('SIGKILL')
    await first.exited()
    await using again = await startLedger(place(), 'gw-1/0/tokens')
    ask(again, [token])
    expect(await outcomesOf(again)).toMatchObject([{ reason: '' }])
    await using other = await startLedger(place(), 'gw-2/0/tokens')
    for (const child of [again, other]) {
      ask(child, [token])
      expect(await outcomesOf(child)).toMatchObject([{ claim: null, reason: 'token_replayed' }])
    }
  })

  test('a claim behind the end of its run is refused, at every process, from the moment that the end is durable', async () => {
    await using log = await open()
    await using one = await startLedger(place(), 'gw-1/0/tokens')
    await using two = await startLedger(place(), 'gw-2/0/tokens')
    const recorder = openLogRecorder({
      log,
      deployment: 'test',
      name: 'api',
      epoch: randomBytes(16),
      now_us: () => Date.now() * 1000,
      mono_ns: () => process.hrtime.bigint(),
    })
    await using closing = recorder
    void closing
    for (let round = 0; round < 10; round++) {
      const run = runNamed(randomUUID())
      const other_run = runNamed(randomUUID())
      await recorder.record(
        'token.revoked',
        { actor: null, pipeline: null, peer: null, target: null },
        { kind: 'run', token: '', run, session: '', reason: 'over', revoked_by: 'job' },
        ledgerKey(run, ''),
      )
      for (const child of [one, two])
        ask(child, [
          { token: newToken(), run, uses: 1 },
          { token: newToken(), run: other_run, uses: 1 },
        ])
      for (const child of [one, two])
        expect(await outcomesOf(child)).toMatchObject([
          { claim: null, reason: 'token_revoked' },
          { reason: '' },
        ])
    }
    await until(
      () => one.messages.filter((message) => 'revoked' in message).length >= 10,
      'the ends of runs',
    )
  })

  test('a log that does not answer delays claims and loses none: nobody gets more than the token has', async () => {
    await using log = await open()
    await using one = await startLedger(place(), 'gw-1/0/tokens')
    await using two = await startLedger(place(), 'gw-2/0/tokens')
    const tokens: Asked[] = Array.from({ length: 20 }, () => ({
      token: newToken(),
      run: '',
      uses: 1,
    }))
    const { recover } = await harness.interrupt()
    for (const child of [one, two]) {
      ask(child, tokens)
      await child.next('asked')
    }
    await recover()
    const outcomes = (await Promise.all([one, two].map(outcomesOf))).flat()
    const in_log = await claimsInOrder(log)
    for (const { token } of tokens) {
      const won = outcomes.filter((outcome) => outcome.token === token && outcome.claim !== null)
      expect(won.map(({ claim }) => claim)).toEqual([in_log.get(token)?.[0]])
    }
  })
}
