import {
  Environment,
  EvaluationError,
  ParseError,
  TypeError as CelTypeError,
  type ASTNode,
} from '@marcbachmann/cel-js'
import { RE2JS } from 're2js'
import type { Claims } from '#core/identity/identity.ts'
import type { Effect } from '#core/sql/analysis.ts'
import type { SessionRequest } from './policy-rule.ts'

/**
 * Conditions of policies, in the Common Expression Language (https://cel.dev). Checked when a policy is loaded: types, names, size. What an
 * expression may cost is bounded by its own length: only functions of this list, no loop deeper than two, regular expressions in RE2
 * (linear time) and known when it is loaded.
 */
export const condition_length_max = 4096
const ast_nodes_max = 500
const ast_depth_max = 40
const loop_depth_max = 2
/** Commands with more effects have no answer: a condition on them is in error. */
export const condition_effects_max = 500

/** CEL's standard functions but those that make long texts or lists out of short ones. */
const functions: ReadonlySet<string> = new Set(
  `size startsWith endsWith contains matches lowerAscii upperAscii trim indexOf lastIndexOf substring
  string int uint double bool dyn type has all exists exists_one filter map timestamp duration
  getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds`
    .split(/\s+/)
    .filter(Boolean),
)
const loops: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'filter', 'map'])

/** `matches` of the library is JavaScript's RegExp, which an expression can keep busy for ever. Same length: places stay right. */
const regexp_method = 'matches'
const re2_method = 're2like'

/** What a condition sees of a command. Absent parts are in error when asked for. */
export type ConditionCommand = {
  readonly kind: string
  readonly verb: string
  readonly effects: readonly Effect[]
  /** 0 to 100. */
  readonly risk: number
  /** Whole text, as it is recorded; absent when it was cut or a secret in it replaced. */
  readonly text?: string
  /** Whole values in text form, null for NULL; absent when one is cut or hidden. */
  readonly parameters?: readonly (string | null)[]
}

export type ConditionFacts = {
  readonly session: SessionVariables
  readonly command: ConditionCommand | null
  /** Milliseconds since 1970. */
  readonly now_ms: number
}

export type Condition = {
  /** It asks for the command: no answer when a session opens. */
  readonly uses_command: boolean
  /** It asks for the client's address or software: no answer where a token is exchanged. */
  readonly uses_peer: boolean
  /** Its answer changes with more than the session and a command's verb, effects and risk: text, values, time. */
  readonly volatile: boolean
  /** `error`: a value is missing or of another type than the expression takes. */
  readonly holds: (facts: ConditionFacts) => boolean | 'error'
}

export type ConditionResult =
  | { readonly ok: true; readonly condition: Condition }
  | {
      readonly ok: false
      /** In words. */
      readonly error: string
      /** UTF-16 units into the expression. */
      readonly offset: number
    }

/** Values of a session, ready for conditions; made once per session. */
export type SessionVariables = Readonly<Record<string, unknown>>

const no_pipeline = {
  provider: '',
  repository: '',
  ref: '',
  sha: '',
  workflow: '',
  run: '',
  run_attempt: '',
  job: '',
  environment: '',
  triggering_user: '',
  runner: '',
  approval_ticket: '',
}

const textFields = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, 'string']))

const environment = new Environment({
  limits: { maxAstNodes: ast_nodes_max, maxDepth: ast_depth_max },
})
  .registerFunction(`string.${re2_method}(string): bool`, (text: string, pattern: string) =>
    compiled(pattern).matcher(text).find(),
  )
  .registerType('Effect', {
    fields: { action: 'string', object: 'string', columns: 'list<string>', via: 'string' },
  })
  .registerVariable('actor', {
    schema: {
      ...textFields(['kind', 'issuer', 'subject', 'display_name', 'token_id']),
      groups: 'list<string>',
    },
  })
  .registerVariable('pipeline', { schema: textFields(Object.keys(no_pipeline)) })
  .registerVariable('claims', 'map<string, dyn>')
  .registerVariable('issuer', 'string')
  .registerVariable('target', 'string')
  .registerVariable('role', 'string')
  .registerVariable('database', 'string')
  .registerVariable('peer', { schema: textFields(['address', 'client_software']) })
  .registerVariable('now', 'google.protobuf.Timestamp')
  .registerVariable('command', {
    schema: {
      ...textFields(['kind', 'verb', 'text']),
      effects: 'list<Effect>',
      parameters: 'list<dyn>',
      risk: 'int',
    },
  })

/** Patterns of loaded policies. Bounded by their number: an expression holds literals only. */
const patterns = new Map<string, RE2JS>()
const patterns_max = 10_000

const compiled = (pattern: string): RE2JS => {
  const known = patterns.get(pattern)
  if (known !== undefined) return known
  const made = RE2JS.compile(pattern)
  if (patterns.size >= patterns_max) patterns.clear()
  patterns.set(pattern, made)
  return made
}

type Found = {
  readonly at: ASTNode
  /** How many loops it stands in. */
  readonly depth: number
}

/** Every node of an expression. */
const nodesOf = (root: ASTNode): readonly Found[] => {
  const found: Found[] = []
  const stack: Found[] = [{ at: root, depth: 0 }]
  const push = (value: unknown, depth: number): void => {
    if (Array.isArray(value)) for (const item of value) push(item, depth)
    else if (typeof value === 'object' && value !== null && 'op' in value && 'range' in value)
      stack.push({ at: value as ASTNode, depth })
  }
  for (let next = stack.pop(); next; next = stack.pop()) {
    found.push(next)
    const { at, depth } = next
    if (at.op === 'rcall') {
      push(at.args[1], depth)
      push(at.args[2], loops.has(at.args[0]) ? depth + 1 : depth)
    } else push(at.args, depth)
  }
  return found
}

type Problem = { readonly error: string; readonly offset: number }

const literalText = (node: ASTNode | undefined): string | undefined =>
  node?.op === 'value' && typeof node.args === 'string' ? node.args : undefined

/** What the library would take and we do not. */
const problemOf = ({ at, depth }: Found): Problem | undefined => {
  const offset = at.range.start
  if (depth > loop_depth_max)
    return {
      error: `loops (all, exists, map ...) are nested deeper than ${loop_depth_max}`,
      offset,
    }
  if (at.op !== 'call' && at.op !== 'rcall') return undefined
  const name = at.args[0]
  if (!functions.has(name))
    return {
      error: `no function "${name}" here; there are ${[...functions].join(', ')}`,
      offset,
    }
  if (at.op === 'call' || name !== regexp_method) return undefined
  const pattern = literalText(at.args[2][0])
  if (pattern === undefined)
    return { error: 'matches() takes a pattern that is written out, in quotes', offset }
  try {
    compiled(pattern)
    return undefined
  } catch {
    return { error: `not a regular expression of RE2: ${JSON.stringify(pattern)}`, offset }
  }
}

/** The expression with every `matches` called by the name of our own method. Backwards: places before stay right. */
const withRe2 = (source: string, nodes: readonly Found[]): string => {
  const calls = nodes.flatMap(({ at }) =>
    at.op === 'rcall' && at.args[0] === regexp_method
      ? [{ from: at.args[1].range.end, to: at.args[2][0]?.range.start ?? at.range.end }]
      : [],
  )
  let text = source
  for (const { from, to } of calls) {
    const place = text.slice(from, to).indexOf(regexp_method)
    if (place === -1) continue
    const at = from + place
    text = text.slice(0, at) + re2_method + text.slice(at + regexp_method.length)
  }
  return text
}

const usesOf = (nodes: readonly Found[]) => {
  const parents = new Map<ASTNode, string>()
  for (const { at } of nodes) if (at.op === '.') parents.set(at.args[0], at.args[1])
  const names = nodes.flatMap(({ at }) => (at.op === 'id' ? [{ name: at.args, at }] : []))
  const stable = new Set(['verb', 'effects', 'risk'])
  return {
    uses_command: names.some(({ name }) => name === 'command' || name === 'now'),
    uses_peer: names.some(({ name }) => name === 'peer'),
    volatile: names.some(
      ({ name, at }) =>
        name === 'now' || (name === 'command' && !stable.has(parents.get(at) ?? '')),
    ),
  }
}

const celProblem = (error: unknown): Problem => {
  if (
    !(error instanceof ParseError) &&
    !(error instanceof CelTypeError) &&
    !(error instanceof EvaluationError)
  )
    return { error: error instanceof Error ? error.message : String(error), offset: 0 }
  const summary = error.summary.replaceAll(re2_method, regexp_method)
  return { error: summary, offset: error.range?.start ?? 0 }
}

/** Compiles and checks a condition. It must be of type bool. */
export const compileCondition = (source: string): ConditionResult => {
  const failed = ({ error, offset }: Problem): ConditionResult => ({ ok: false, error, offset })
  try {
    const nodes = nodesOf(environment.parse(source).ast)
    const problem = nodes.map(problemOf).find((one) => one !== undefined)
    if (problem !== undefined) return failed(problem)
    const program = environment.parse(withRe2(source, nodes))
    const checked = program.check()
    if (!checked.valid) return failed(celProblem(checked.error))
    if (checked.type !== 'bool')
      return failed({ error: `a condition is true or false, this is ${checked.type}`, offset: 0 })
    if (nodesOf(program.ast).some(({ at }) => at.op === 'rcall' && at.args[0] === regexp_method))
      return failed({ error: 'no comment may stand before matches()', offset: 0 })
    return { ok: true, condition: { ...usesOf(nodes), holds: holdsOf(program) } }
  } catch (error) {
    return failed(celProblem(error))
  }
}

const holdsOf =
  (program: (context: Record<string, unknown>) => unknown): Condition['holds'] =>
  ({ session, command, now_ms }) => {
    if (command !== null && command.effects.length > condition_effects_max) return 'error'
    try {
      const answer = program({
        ...session,
        now: new Date(now_ms),
        ...(command === null ? {} : { command: { ...command, risk: BigInt(command.risk) } }),
      })
      return typeof answer === 'boolean' ? answer : 'error'
    } catch {
      return 'error'
    }
  }

/** Claims as CEL takes them: whole numbers are its int. */
const celValue = (value: unknown): unknown => {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(celValue)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, celValue(item)]))
}

const claimsOf = (claims: Claims): unknown => celValue(claims)

/** The variables of a session. A session without a CI run has an empty `pipeline`. */
export const sessionVariables = (request: SessionRequest): SessionVariables => ({
  actor: request.actor,
  pipeline: request.pipeline ?? no_pipeline,
  claims: claimsOf(request.claims),
  issuer: request.issuer,
  target: request.target,
  role: request.role,
  database: request.database,
  ...(request.peer === null ? {} : { peer: request.peer }),
})
