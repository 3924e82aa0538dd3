import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Client } from 'pg'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { chanceOf } from '../../support/random-numbers.ts'
import { openStatementLog, type LoggedStatement } from '../../support/statement-log.ts'
import { openTrailReader, type RecordedEvent } from '../../support/trail-reader.ts'
import { playGreeting, playSession, type Played } from './session.ts'
import { fuzz_schema } from './statements.ts'
import { startTap, type Tap } from './tap.ts'
import { disagreements } from './witness.ts'

/**
 * Fuzzes the client's half of a running gateway. Messages are made by rules (phrases.ts), so that most of them get far; after each
 * round every session is settled: what was recorded, what was forwarded and what was executed must agree (witness.ts).
 */
export type FuzzOptions = {
  /** Messages to send, about: a round is finished. */
  readonly messages: number
  readonly seed: number
  readonly reads: 'wait' | 'overlap'
  /** Plays this one session alone, as a finding named it. */
  readonly session?: number
  readonly onProgress?: (report: FuzzReport) => void
}

export type FuzzReport = {
  readonly messages: number
  readonly sessions: number
  /** Sessions that a message ended that makes no sense. */
  readonly violations: number
  readonly commands: number
  readonly refused: number
  readonly executed: number
  /** Heap after a collection, at the end and after the first quarter of the messages, bytes. */
  readonly heap_bytes: number
  readonly heap_warm_bytes: number
  /** What is not as it must be, each with the seed that makes it again; at most `findings_max`. */
  readonly findings: readonly string[]
}

const sessions_per_round = 48
const greetings_per_round = 6
const side_by_side = 6
const findings_max = 20
const findings_per_session_max = 3
const settle_timeout_ms = 60_000

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const heapBytes = (): number => {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

type Ground = {
  readonly postgres: TestPostgres
  readonly tap: Tap
  readonly gateway: TestGateway
}

/** Runs jobs, so many at a time. */
const inParallel = async (jobs: readonly (() => Promise<void>)[]): Promise<void> => {
  const left = [...jobs]
  await Promise.all(
    Array.from({ length: side_by_side }, async () => {
      for (let job = left.shift(); job !== undefined; job = left.shift()) await job()
    }),
  )
}

/** Collects both accounts, session by session, as they come. */
const openAccounts = async ({ gateway, postgres }: Ground, direct: Client) => {
  const trail = await openTrailReader(gateway.config.log, gateway.data_dir)
  const statements = await openStatementLog(postgres.logFile)
  const names = new Map<string, string>()
  const recorded = new Map<string, RecordedEvent[]>()
  const executed = new Map<string, LoggedStatement[]>()
  const internal: string[] = []
  let markers = 0

  const readTrail = async (): Promise<void> => {
    for (const event of await trail.next()) {
      if (event.type === 'session.refused' && event.reason === 'gateway_error')
        internal.push(`a connection was refused by an internal error: ${event.detail}`)
      if (event.type === 'session.started')
        names.set(event.session, event.context.peer?.client_software ?? '')
      const name = names.get(event.session)
      if (name === undefined) continue
      const own = recorded.get(name)
      if (own === undefined) recorded.set(name, [event])
      else own.push(event)
      if (event.type === 'session.ended') names.delete(event.session)
    }
  }

  const readStatements = async (marker: string): Promise<boolean> => {
    let seen = false
    for (const statement of await statements.next()) {
      if (statement.text.includes(marker)) seen = true
      const own = executed.get(statement.application)
      if (own === undefined) executed.set(statement.application, [statement])
      else own.push(statement)
    }
    return seen
  }

  return {
    /** Waits until both accounts of these sessions are complete. */
    settle: async (sessions: readonly string[]): Promise<void> => {
      const isOver = (name: string): boolean => recorded.get(name)?.at(-1)?.type === 'session.ended'
      await eventually(
        'every session has ended in the log',
        async () => {
          await readTrail()
          return sessions.every(isOver)
        },
        settle_timeout_ms,
      ).catch(() => undefined)
      // The server's log is written in order: what stands before the marker is complete.
      const marker = `settled ${++markers}`
      await direct.query(`select '${marker}'`)
      await eventually('the server’s log', () => readStatements(marker), settle_timeout_ms)
      executed.delete('')
    },
    take: (name: string) => {
      const own = { recorded: recorded.get(name) ?? [], executed: executed.get(name) ?? [] }
      recorded.delete(name)
      executed.delete(name)
      return own
    },
    internal,
    [Symbol.asyncDispose]: () => trail[Symbol.asyncDispose](),
  }
}

const startGround = async (options: FuzzOptions, stack: AsyncDisposableStack): Promise<Ground> => {
  const postgres = stack.use(await startPostgres({ log: true }))
  const tap = stack.use(await startTap(postgres.port))
  const gateway = stack.use(
    await startTestGateway({
      targets: { main: { ...postgres, port: tap.port } },
      config: {
        gateway: { reads: options.reads, handshake_timeout_ms: 3_000 },
        listeners: { postgres: { port: 0, cleartext: 'loopback' } },
      },
    }),
  )
  return { postgres, tap, gateway }
}

export const runFuzz = async (options: FuzzOptions): Promise<FuzzReport> => {
  await using stack = new AsyncDisposableStack()
  const ground = await startGround(options, stack)
  const direct = new Client({ connectionString: ground.postgres.url })
  await direct.connect()
  stack.defer(() => direct.end())
  await direct.query(fuzz_schema)
  const accounts = stack.use(await openAccounts(ground, direct))
  const totals = { messages: 0, sessions: 0, violations: 0, commands: 0, refused: 0, executed: 0 }
  const findings: string[] = []
  let heap_warm_bytes = 0
  const report = (): FuzzReport => ({
    ...totals,
    heap_bytes: heapBytes(),
    heap_warm_bytes,
    findings: findings.slice(0, findings_max),
  })

  const tell = (seed: number, what: string): void => {
    findings.push(`seed ${seed}: ${what}`)
  }

  const count = (seed: number, { messages, trouble }: Played): void => {
    totals.messages += messages
    if (trouble !== null) tell(seed, trouble)
  }

  const settleOne = (name: string, seed: number): void => {
    const forwarded = ground.tap.take(name)
    const { recorded, executed } = accounts.take(name)
    if (forwarded === undefined) {
      tell(seed, `${name} never reached the target`)
      return
    }
    totals.sessions++
    totals.executed += executed.length
    for (const event of recorded)
      if (event.type === 'session.ended') {
        totals.commands += event.commands
        totals.refused += event.refused
        if (event.reason === 'protocol_error') totals.violations++
      }
    const found = disagreements({ recorded, forwarded, executed })
    for (const what of found.slice(0, findings_per_session_max)) tell(seed, what)
  }

  const round = async (seeds: readonly number[]): Promise<void> => {
    const name = (seed: number): string => `fuzz-${seed}`
    const { port } = ground.gateway
    await inParallel([
      ...seeds.map((seed) => async () => {
        const token = await ground.gateway.token()
        const chance = chanceOf(seed)
        count(seed, await playSession({ port, application: name(seed), token, chance }))
      }),
      ...seeds.slice(0, greetings_per_round).map((seed) => async () => {
        count(seed, await playGreeting(port, chanceOf(-seed - 1)))
      }),
    ])
    await accounts.settle(seeds.map(name))
    for (const seed of seeds) settleOne(name(seed), seed)
    for (const what of accounts.internal.splice(0)) tell(seeds[0] ?? 0, what)
  }

  if (options.session !== undefined) {
    await round([options.session])
    return report()
  }
  for (let rounds = 0; totals.messages < options.messages; rounds++) {
    const first_seed = options.seed * 1_000_000 + rounds * sessions_per_round
    await round(Array.from({ length: sessions_per_round }, (_, i) => first_seed + i))
    if (heap_warm_bytes === 0 && totals.messages >= options.messages / 4)
      heap_warm_bytes = heapBytes()
    options.onProgress?.(report())
    if (findings.length >= findings_max) break
  }
  return report()
}
