import type { SqlAnalysis } from '#core/sql/analysis.ts'
import type { ReceivedCommand } from './receive.ts'
import { openSideQueries, type SideQueries } from './side-queries.ts'
import type { UpstreamRequest } from './upstream.ts'

/** How long an estimate may take, all of it, milliseconds: people wait for it. */
const estimate_ms = 2_000
const statement_timeout_ms = 1_000
/** Estimates at the same time; more are left out. */
const concurrent_max = 4

/** Effects of plain reading and writing of tables that the statement names itself. */
const plain_actions = new Set(['select', 'insert', 'update', 'delete', 'merge'])

/**
 * Planning runs functions that are not volatile (they are folded, or asked for an estimate); also behind operators, casts, views, rules and policies. Where
 * somebody has made such functions in a language of SQL, no estimate is asked for.
 */
const own_functions = `select 1 from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
  where p.oid >= 16384 and p.provolatile <> 'v' and l.lanname not in ('c', 'internal') limit 1`

export type EstimatedCommand = {
  readonly text: string
  readonly analysis: SqlAnalysis
  /** Bound values: the plan is one for any values. */
  readonly parameters: number
  /** What unqualified names mean; undefined: nobody knows. */
  readonly search_path: readonly string[] | undefined
}

/** Whether asking for a plan runs nothing of anybody's. */
const isPlain = ({ analysis, search_path }: EstimatedCommand): boolean => {
  if (!analysis.ok || search_path === undefined || analysis.statements.length !== 1) return false
  const [statement] = analysis.statements
  return (
    statement !== undefined &&
    plain_actions.has(statement.verb) &&
    statement.effects.every(({ action, via }) => plain_actions.has(action) && via === '')
  )
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

type Plan = {
  readonly 'Node Type'?: unknown
  readonly 'Plan Rows'?: unknown
  readonly Plans?: readonly Plan[]
}

/** Rows that come out of a plan, or that it changes: a ModifyTable itself gives none. */
const rowsOf = (plan: Plan): number => {
  const { 'Node Type': type, 'Plan Rows': rows, Plans: below = [] } = plan
  if (type === 'ModifyTable') return below.reduce((sum, one) => sum + Math.max(0, rowsOf(one)), 0)
  return typeof rows === 'number' && Number.isFinite(rows) ? Math.round(rows) : -1
}

const readPlan = (text: string): number => {
  const [explained] = JSON.parse(text) as readonly { readonly Plan?: Plan }[]
  return explained?.Plan === undefined ? -1 : rowsOf(explained.Plan)
}

const ask = async (queries: SideQueries, command: EstimatedCommand): Promise<number> => {
  await queries.query('begin transaction read only')
  if ((await queries.query(own_functions)).length > 0) return -1
  const path = (command.search_path ?? []).map(quoted).join(', ')
  await queries.query(`select pg_catalog.set_config('search_path', $1, true)`, [path])
  const [row] = await queries.query(`explain (format json) ${await explained(queries, command)}`)
  return readPlan(row?.[0] ?? '[]')
}

/** With parameters, a prepared statement whose plan does not look at their values: those are not sent again. */
const explained = async (
  queries: SideQueries,
  { text, parameters }: EstimatedCommand,
): Promise<string> => {
  if (parameters === 0) return text
  await queries.query(`select pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)`)
  await queries.query(`prepare estimated as ${text}`)
  return `execute estimated(${Array.from({ length: parameters }, () => 'null').join(', ')})`
}

/** What of a command is asked about; null when the record does not have all of its text. */
export const estimated = (
  { statement, parameters }: ReceivedCommand,
  search_path: readonly string[] | undefined,
): EstimatedCommand | null => {
  const { text, text_bytes, secrets, masked, analysis } = statement
  const whole = Buffer.byteLength(text) === text_bytes && secrets.length + masked.length === 0
  return whole ? { text, analysis, parameters: parameters.length, search_path } : null
}

export interface Estimator {
  /** Rows that the target expects the command to read or change; -1 when that cannot be said safely, or not soon. Never rejects. */
  estimate(request: UpstreamRequest, command: EstimatedCommand | null): Promise<number>
}

/** Asks the target, on a connection of its own that runs nothing, for what it expects of a command. */
export const openEstimator = (): Estimator => {
  let under_way = 0

  const run = async (request: UpstreamRequest, command: EstimatedCommand): Promise<number> => {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(estimate_ms)])
    const opened = await openSideQueries({ ...request, signal }, { statement_timeout_ms })
    if (!opened.ok) return -1
    await using queries = opened.queries
    return await ask(queries, command)
  }

  return {
    estimate: async (request, command) => {
      if (command === null || !isPlain(command) || under_way >= concurrent_max) return -1
      under_way++
      try {
        return await run(request, command)
      } catch {
        // Whatever the target says: an estimate is a help for people, nothing hangs on it.
        return -1
      } finally {
        under_way--
      }
    },
  }
}
