import type { Catalog } from '../catalog.ts'
import { unmapped, type Child, type TreeNode } from '../node.ts'
import type { SqlParser } from '../parser.ts'
import { readExpression } from './expressions.ts'
import {
  flowsOf,
  literalsOf,
  outputsOf,
  ownedConstants,
  parametersOf,
  sourcesOfAll,
  type LiteralEnd,
} from './findings.ts'
import { readFrom } from './from-items.ts'
import { reach } from './graph.ts'
import type { Lineage, StatementLineage } from './lineage.ts'
import { literalEnds } from './literal-ends.ts'
import { namesAfter, type Names } from './moves.ts'
import { readQuery } from './queries.ts'
import {
  fail,
  lineage_limits,
  newReading,
  type LineageLimits,
  type Reading,
  type Readers,
} from './reading.ts'
import type { Setting } from './scope.ts'
import { readStatement, type StatementFindings } from './statements.ts'
import { tieComparisons } from './ties.ts'
import { readWrite } from './writes.ts'

const readers: Readers = {
  query: readQuery,
  expression: readExpression,
  from: readFrom,
  write: readWrite,
}

const statementOf = (wrapped: TreeNode | undefined): Child => {
  for (const kind in wrapped) return { kind, node: wrapped[kind] as TreeNode, field: 'stmt' }
  return { kind: unmapped, node: {}, field: 'stmt' }
}

const toldBy = (
  reading: Reading,
  found: StatementFindings,
  endOf: LiteralEnd,
): StatementLineage => {
  tieComparisons(reading)
  const owned = ownedConstants(reading)
  return {
    outputs: found.columns === null ? null : outputsOf(reading, found.columns),
    reads: sourcesOfAll(reading, reading.reads, false),
    flows: flowsOf(reading),
    literals: literalsOf(reading, owned, endOf),
    parameters: parametersOf(owned),
    rows: found.rows ? sourcesOfAll(reading, [found.rows], true) : [],
    opaque: [...reading.opaque],
    copy_in: found.copy_in?.map((node) => sourcesOfAll(reading, [node], false)) ?? null,
    declares: found.declares,
    prepares: found.prepares,
    continues: found.continues,
    arguments: found.arguments.map((node) => {
      const { constants } = reach(reading.budget, node, { bonds: false })
      const literals = new Map(
        [...constants].flatMap((constant) =>
          constant.kind === 'literal' ? [[constant.offset, new Set<never>()] as const] : [],
        ),
      )
      return literalsOf(reading, { literals, parameters: new Map() }, endOf)
    }),
  }
}

/**
 * Where the data of a text comes from and goes to. Never throws. Costs one to a few parses of the text; definitions of views are parsed on the way.
 *
 * @param search_path schemas in the order in which unqualified names are looked up
 * @returns not ok when the text, or a view or function in its way, holds anything that cannot be followed
 */
export const lineageOf = (
  parser: SqlParser,
  text: string,
  catalog: Catalog,
  search_path: readonly string[],
  limits: LineageLimits = lineage_limits,
): Lineage => {
  if (text.length > limits.text_length_max || text.includes('\0'))
    return { ok: false, reason: 'it is too large' }
  const parsed = parser.parse(text)
  if (!parsed.ok) return { ok: false, reason: parsed.error }
  const endOf = literalEnds(parser, text)
  const statements: StatementLineage[] = []
  let names: Names = { catalog, search_path, own: new Set() }
  for (const { stmt } of parsed.tree.stmts ?? []) {
    const at = statementOf(stmt)
    const reading = newReading({ parser, catalog: names.catalog, limits, readers })
    const setting: Setting = {
      search_path: names.search_path,
      own_text: true,
      parameters: undefined,
    }
    const told = guarded(reading, () => {
      const found = readStatement(reading, at, setting)
      names = namesAfter(at, reading, found, names)
      return toldBy(reading, found, endOf)
    })
    if (!told) return { ok: false, reason: reading.failure }
    statements.push(told)
  }
  return { ok: true, statements }
}

const guarded = (reading: Reading, run: () => StatementLineage): StatementLineage | undefined => {
  try {
    const told = run()
    if (reading.budget.nodes < 0 || reading.budget.steps < 0) fail(reading, 'it is too large')
    return reading.failure === '' ? told : undefined
  } catch (error) {
    // The stack of JavaScript is shorter than PostgreSQL's.
    if (!(error instanceof RangeError)) throw error
    fail(reading, 'it is nested too deeply')
    return undefined
  }
}
