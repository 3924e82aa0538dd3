import type {
  ColumnLiteral,
  Lineage,
  OutputColumn,
  StatementLineage,
} from '../sql/lineage/lineage.ts'
import type { ColumnRules } from './column-rules.ts'
import type { Method } from './method.ts'
import type { ColumnRule } from './rules.ts'

/**
 * What column rules say about statements, from their lineage. An output that is a masked column itself is masked by the rule's method; one that is
 * computed from it is redacted (or NULL): a part of a part, or a hash of a part, would give the value away.
 */
export type OutputMask = { readonly rule: string; readonly method: Method }

/** A literal that must not be recorded: bytes of the text, and the rule. */
export type MaskedLiteral = {
  readonly offset: number
  readonly length: number
  readonly rule: string
}

/** Why a statement cannot run in a session with column rules. */
export type MaskRefusal = {
  readonly rule: 'builtin:mask-unresolved' | 'builtin:masked-write'
  readonly words: string
}

export type StatementMask = {
  /** By column of the result, null for one that is not masked; null when there is no result, or it is that of what it `continues`. */
  readonly outputs: readonly (OutputMask | null)[] | null
  /** For COPY: types by column, 0 unknown. */
  readonly types: readonly number[]
  /** It reads or writes masked columns: what the server says of it may quote them. */
  readonly touches: boolean
  /** Rules for its outputs, each once. */
  readonly rules: readonly string[]
  readonly literals: readonly MaskedLiteral[]
  /** Rule by number of a parameter. */
  readonly parameters: ReadonlyMap<number, string>
  /** COPY FROM STDIN: rule by column. */
  readonly copy_in: readonly (string | null)[] | null
  readonly declares: string
  readonly prepares: string
  readonly continues: string
  /** EXECUTE: literals of each argument. */
  readonly arguments: readonly (readonly ColumnLiteral[])[]
  readonly refusal: MaskRefusal | null
}

/** What column rules say about a text; `ok` false: nobody can tell what it shows. */
export type TextMasks =
  | { readonly ok: true; readonly statements: readonly StatementMask[] }
  | { readonly ok: false; readonly refusal: MaskRefusal }

export const unresolved = (why: string): MaskRefusal => ({
  rule: 'builtin:mask-unresolved',
  words: `masked columns cannot be kept out of what this shows: ${why}`,
})

/** What computed values become. */
export const outputMask = (rule: ColumnRule, direct: boolean): OutputMask => ({
  rule: rule.name,
  method: direct || rule.method.kind === 'null' ? rule.method : { kind: 'redact' },
})

const typeOf = ({ sources, direct }: OutputColumn): number => {
  if (!direct) return 0
  for (const { relation, column } of sources) {
    const found = relation.columns.find(({ name }) => name === column)
    if (found !== undefined) return found.type_oid
  }
  return 0
}

/** Nothing of a value shows, whatever was written into the column: parts and hashes would show it piece by piece, as it is moved along. */
const hidesAll = ({ method }: ColumnRule): boolean =>
  method.kind === 'redact' || method.kind === 'null'

const refusalOf = (statement: StatementLineage, rules: ColumnRules): MaskRefusal | null => {
  const { opaque, rows, flows } = statement
  if (opaque.length > 0) return unresolved(`nobody can follow the function ${opaque[0] ?? ''}`)
  const counted = rules.ofSources(rows)
  if (counted !== null) return unresolved('the number of rows would tell a masked value')
  for (const { into, into_column, sources, own } of flows) {
    if (rules.ofSources(sources) === null && rules.ofSources(own) === null) continue
    const target = rules.ofName(into, into_column)
    if (target !== null && hidesAll(target)) continue
    return {
      rule: 'builtin:masked-write',
      words: `values of masked columns would be written to ${into === '' ? 'another place' : into}, ${target === null ? 'where nothing masks them' : `whose rule ${target.name} shows something of what it holds`}`,
    }
  }
  return null
}

const statementMask = (statement: StatementLineage, rules: ColumnRules): StatementMask => {
  const outputs =
    statement.outputs?.map((output) => {
      const rule = rules.ofSources(output.sources)
      return rule === null ? null : outputMask(rule, output.direct)
    }) ?? null
  const parameters = new Map<number, string>()
  for (const { number, sources } of statement.parameters) {
    const rule = rules.ofSources(sources)
    if (rule !== null) parameters.set(number, rule.name)
  }
  const copy_in =
    statement.copy_in?.map((sources) => rules.ofSources(sources)?.name ?? null) ?? null
  const written = statement.flows.some(
    ({ into, into_column }) => rules.ofName(into, into_column) !== null,
  )
  const literals = statement.literals.flatMap(({ offset, length, sources }) => {
    const rule = rules.ofSources(sources)
    return rule === null ? [] : [{ offset, length, rule: rule.name }]
  })
  return {
    outputs,
    types: statement.outputs?.map(typeOf) ?? [],
    touches:
      written ||
      parameters.size + literals.length > 0 ||
      copy_in?.some((rule) => rule !== null) === true ||
      rules.ofSources(statement.reads) !== null,
    rules: [...new Set(outputs?.flatMap((output) => (output === null ? [] : [output.rule])))],
    literals,
    parameters,
    copy_in,
    declares: statement.declares,
    prepares: statement.prepares,
    continues: statement.continues,
    arguments: statement.arguments,
    refusal: refusalOf(statement, rules),
  }
}

/** Reads what the rules say about a text's lineage. */
export const textMasks = (lineage: Lineage, rules: ColumnRules): TextMasks =>
  lineage.ok
    ? {
        ok: true,
        statements: lineage.statements.map((statement) => statementMask(statement, rules)),
      }
    : { ok: false, refusal: unresolved(lineage.reason) }
