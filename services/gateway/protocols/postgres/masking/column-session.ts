import { openColumnRules } from '#core/masking/column-rules.ts'
import type { ColumnRule } from '#core/masking/rules.ts'
import {
  outputMask,
  textMasks,
  unresolved,
  type OutputMask,
  type TextMasks,
} from '#core/masking/statement-masks.ts'
import type { Catalog } from '#core/sql/catalog.ts'
import type { Lineage } from '#core/sql/lineage/lineage.ts'
import type { LineageReader } from '#core/sql/lineage/cached-reader.ts'
import type { Naming } from '#core/sql/naming.ts'
import { openNames, type Names } from '../names.ts'
import type { ColumnShape, RowShape } from './row-shape.ts'

/** The columns of a result: what masks each, and its type where it is known. */
export type ResultMask = {
  /** Null: nothing is known of the result. */
  readonly outputs: readonly (OutputMask | null)[] | null
  /** OIDs, for COPY; 0 unknown. */
  readonly types: readonly number[]
}

/** A cursor that DECLARE made. */
export type CursorMask = { readonly name: string; readonly result: ResultMask }

/** Column rules at work in one session. */
export interface ColumnSession {
  /** What the rules say about a text, with what names mean now. */
  read(text: string, naming: Naming): TextMasks
  /** What masks each column of a result as the server describes it. */
  outputs(
    shape: RowShape,
    result: ResultMask | null,
    naming: Naming,
  ): readonly (OutputMask | null)[]
  /** What masks each column of a COPY TO STDOUT of so many. */
  copied(count: number, result: ResultMask | null): readonly (OutputMask | null)[]
  readonly cursors: Names<CursorMask>
}

/** Names of cursors in a session; a DECLARE of more is refused. */
export const cursors_max = 1000

/** Relations from here on were made by somebody; what is below comes with the server. */
const first_own_oid = 16_384
/** Longest way from a table to those it inherits from. */
const ancestors_max = 32

const nothing_known = unresolved('what is in the database is not known')
const no_path = unresolved('the search path is not known')

export const openColumnSession = (
  rules: readonly ColumnRule[],
  lineage: LineageReader,
): ColumnSession => {
  const columnRules = openColumnRules(rules)
  const [strictest] = rules
  /** For what cannot be told. */
  const withheld = strictest === undefined ? null : outputMask(strictest, false)
  const masks = new WeakMap<Lineage, TextMasks>()

  /** The rule for a column of a table, or of one it inherits from. */
  const ofOid = (catalog: Catalog, oid: number, column: string, depth = 0): ColumnRule | null => {
    const relation = catalog.relationByOid(oid)
    if (relation === undefined || depth > ancestors_max) return null
    const own = columnRules.ofColumn(relation, column)
    if (own !== null) return own
    for (const parent of relation.parents) {
      const inherited = ofOid(catalog, parent, column, depth + 1)
      if (inherited !== null) return inherited
    }
    return null
  }

  /** What the description alone tells. Undefined: it names a column that is in no catalog. */
  const described = (
    { table_oid, column_number }: ColumnShape,
    { catalog }: Naming,
  ): OutputMask | null | undefined => {
    if (table_oid < first_own_oid || column_number <= 0) return null
    const relation = catalog?.relationByOid(table_oid)
    const column = relation?.columns.find(({ number }) => number === column_number)
    if (catalog === undefined || column === undefined) return undefined
    const rule = ofOid(catalog, table_oid, column.name)
    return rule === null ? null : outputMask(rule, true)
  }

  return {
    read: (text, { catalog, search_path }) => {
      if (catalog === undefined) return { ok: false, refusal: nothing_known }
      if (search_path === undefined) return { ok: false, refusal: no_path }
      const known = lineage.lineage(text, catalog, search_path)
      let read = masks.get(known)
      if (read === undefined) masks.set(known, (read = textMasks(known, columnRules)))
      return read
    },
    outputs: (shape, result, naming) => {
      const outputs = result?.outputs ?? null
      const fits = outputs !== null && outputs.length === shape.length
      return shape.map((column, index) => {
        // Not what was expected: nothing of it is shown.
        if (!fits) return withheld
        const by_shape = described(column, naming)
        return outputs[index] ?? (by_shape === undefined ? withheld : by_shape)
      })
    },
    copied: (count, result) => {
      const outputs = result?.outputs ?? null
      return outputs !== null && outputs.length === count
        ? outputs
        : Array.from({ length: count }, () => withheld)
    },
    cursors: openNames(),
  }
}
