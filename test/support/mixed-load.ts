import { Client, DatabaseError } from 'pg'
import { eventually } from './eventually.ts'
import { randomNumbers } from './random-numbers.ts'
import { rig_role, rig_target, type Rig } from './rig.ts'
import { readStatementLog, type LoggedStatement } from './statement-log.ts'

type Step = (client: Client, random: () => number) => Promise<unknown>

const whole = (random: () => number, below: number): number => Math.floor(random() * below)

/** Kinds of command that clients mix: each is one or more commands. */
const steps: readonly Step[] = [
  (client, random) => client.query(`select ${whole(random, 1e6)} as n, 'it''s' as t`),
  (client, random) => client.query('select $1::int + 1 as n', [whole(random, 1e6)]),
  (client, random) =>
    client.query({
      name: 'insert item',
      text: 'insert into items (n, label, at, flag, doc) values ($1, $2, $3, $4, $5)',
      values: [
        whole(random, 1e6),
        random() < 0.2 ? null : `label '${whole(random, 100)}' ü`,
        '2026-03-04 05:06:07.891+00',
        // As the server prints them: its log holds what it understood, the tables what was sent.
        random() < 0.5 ? 't' : 'f',
        `{"n": ${whole(random, 10)}}`,
      ],
    }),
  (client, random) =>
    client.query(`update items set n = n + 1 where id = ${whole(random, 500)}; select 1; select 2`),
  (client) => client.query('select 1 / 0').catch(expected),
  (client) => client.query('select nothing from items').catch(expected),
  (client) => client.query('select 1 / $1::int', [0]).catch(expected),
  (client, random) =>
    client
      .query('select no_such_column from items where id = $1', [whole(random, 9)])
      .catch(expected),
  async (client, random) => {
    await client.query('begin')
    await client.query('insert into items (n) values ($1)', [whole(random, 100)])
    if (random() < 0.3) await client.query('select $1::text::int', ['not a number']).catch(expected)
    await client.query(random() < 0.5 ? 'commit' : 'rollback')
  },
  async (client, random) => {
    await client.query('prepare p (int) as select $1 * 2')
    await client.query(`execute p(${whole(random, 100)})`)
    await client.query('deallocate p')
  },
  (client) =>
    client.query("select '-- not a comment' as a, $$dollar ; quoted$$ as b -- and a comment"),
  (client, random) =>
    client.query('select array[$1::int, 2]::int[], $2::float8, $3::bytea', [
      whole(random, 9),
      random(),
      Buffer.from([0, 255]),
    ]),
  (client, random) => client.query(`select i from generate_series(1, ${1 + whole(random, 300)}) i`),
]

const expected = (error: unknown): undefined => {
  if (error instanceof DatabaseError) return undefined
  throw error
}

export type MixedLoad = {
  readonly rig: Rig
  readonly clients: number
  /** Commands in all, about. */
  readonly commands: number
  readonly seed: number
  /** Told the number of steps done so far. */
  readonly onProgress?: (steps_done: number) => void
}

/** Creates the table that the load uses, straight at the target. */
export const createItems = async (rig: Rig): Promise<void> => {
  const client = new Client({ connectionString: rig.postgres.url })
  await client.connect()
  await client.query(
    'create table items (id int primary key generated always as identity, n int, label text, at timestamptz, flag bool, doc jsonb)',
  )
  await client.end()
}

const connect = async (rig: Rig, application_name: string): Promise<Client> => {
  const client = new Client({
    host: '127.0.0.1',
    port: rig.cairn.ports['postgres']!,
    user: rig_role,
    database: rig_target,
    password: await rig.token(),
    application_name,
    ssl: { rejectUnauthorized: false },
  })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

const runClient = async (load: MixedLoad, index: number, done: () => void): Promise<void> => {
  const random = randomNumbers(load.seed * 1000 + index)
  const steps_wanted = Math.ceil(load.commands / load.clients / 1.4)
  let connection = 0
  let client: Client | null = null
  for (let step = 0; step < steps_wanted; step++) {
    try {
      client ??= await eventually(
        'the gateway takes a connection',
        () => connect(load.rig, `c${index}.${++connection}`),
        60_000,
      )
      await steps[whole(random, steps.length)]!(client, random)
    } catch {
      // The gateway was killed under it: go on with a new session.
      await client?.end().catch(() => undefined)
      client = null
    }
    done()
  }
  await client?.end().catch(() => undefined)
}

/** Runs clients side by side, each a random mix; a client whose session breaks opens another. */
export const runMixedLoad = async (load: MixedLoad): Promise<void> => {
  let steps_done = 0
  await Promise.all(
    Array.from({ length: load.clients }, (_, index) =>
      runClient(load, index, () => load.onProgress?.(++steps_done)),
    ),
  )
}

/** A command as `cairn.commands` has it. */
export type RecordedCommand = {
  readonly application: string
  readonly kind: string
  readonly text: string
  readonly status: string
  readonly values: readonly (string | null)[]
}

export const readCommands = (rig: Rig): Promise<readonly RecordedCommand[]> =>
  rig.query<RecordedCommand>(`
    select peer_software as application, kind, text, status, parameters.value as values
    from cairn.commands
    where kind in ('query', 'execute')
    order by session, command`)

const same = (recorded: RecordedCommand, logged: LoggedStatement): boolean =>
  (recorded.kind === 'query') === (logged.kind === 'statement') &&
  recorded.text === logged.text &&
  (logged.kind === 'statement' ||
    JSON.stringify(recorded.values) === JSON.stringify(logged.parameters))

const byApplication = <T extends { readonly application: string }>(
  all: readonly T[],
): Map<string, T[]> =>
  Map.groupBy(
    all.filter(({ application }) => /^c\d+\.\d+$/.test(application)),
    ({ application }) => application,
  )

export type Comparison = {
  /** Statements that the target executed and the tables hold. */
  readonly equal: number
  /** Executed by the target, not in the tables where they should be: must be empty. */
  readonly unrecorded: readonly LoggedStatement[]
  /** In the tables as ended well, and the target never ran them: must be empty. */
  readonly invented: readonly RecordedCommand[]
}

/**
 * Holds the target's own statement log against `cairn.commands`, session by session, in order. A recorded command may be missing at
 * the target only if it did not end well: failed before execution, aborted in a pipeline, or cut off by a kill.
 */
export const compareWithTarget = (
  recorded: readonly RecordedCommand[],
  logged: readonly LoggedStatement[],
): Comparison => {
  const ours = byApplication(recorded)
  const theirs = byApplication(logged)
  let equal = 0
  const unrecorded: LoggedStatement[] = []
  const invented: RecordedCommand[] = []
  for (const application of new Set([...ours.keys(), ...theirs.keys()])) {
    const executed = theirs.get(application) ?? []
    let at = 0
    for (const command of ours.get(application) ?? []) {
      const next = executed[at]
      if (next !== undefined && same(command, next)) {
        at++
        equal++
      } else if (command.status === 'ok' || command.status === 'suspended') invented.push(command)
    }
    unrecorded.push(...executed.slice(at))
  }
  return { equal, unrecorded, invented }
}

/** Waits until the tables hold every statement that the target logged, then compares. */
export const compareEventually = async (rig: Rig): Promise<Comparison> => {
  let comparison: Comparison | undefined
  await eventually(
    'the tables hold what the target executed',
    async () => {
      comparison = compareWithTarget(
        await readCommands(rig),
        await readStatementLog(rig.postgres.logFile),
      )
      return comparison.unrecorded.length === 0 && comparison.equal > 0
    },
    60_000,
  ).catch(() => undefined)
  if (comparison === undefined) throw new Error('the tables could not be read')
  return comparison
}
