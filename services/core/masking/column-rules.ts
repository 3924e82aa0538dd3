import type { CatalogRelation } from '../sql/catalog.ts'
import type { SourceColumn } from '../sql/lineage/lineage.ts'
import type { ColumnRule } from './rules.ts'

/** The column rules of a session, asked by column. */
export interface ColumnRules {
  /** The first rule for a column; null when it is not masked. */
  ofColumn(relation: CatalogRelation, column: string): ColumnRule | null
  /** The first rule for any of these. */
  ofSources(sources: readonly SourceColumn[]): ColumnRule | null
  /** The first rule for a column that is known by its name only, `schema.table` as lineage writes it. */
  ofName(table: string, column: string): ColumnRule | null
}

/** Rules are asked about the same columns again and again: what they say is kept as long as the catalog is. */
export const openColumnRules = (rules: readonly ColumnRule[]): ColumnRules => {
  const known = new WeakMap<CatalogRelation, Map<string, ColumnRule | null>>()
  const order = new Map(rules.map((rule, index) => [rule, index]))
  const first = (schema: string, table: string, column: string): ColumnRule | null =>
    rules.find((rule) => rule.matches({ schema, table, column })) ?? null

  const ofColumn = (relation: CatalogRelation, column: string): ColumnRule | null => {
    let columns = known.get(relation)
    if (columns === undefined) known.set(relation, (columns = new Map()))
    const kept = columns.get(column)
    if (kept !== undefined) return kept
    const rule = first(relation.schema, relation.name, column)
    columns.set(column, rule)
    return rule
  }

  return {
    ofColumn,
    ofSources: (sources) => {
      let found: ColumnRule | null = null
      for (const { relation, column } of sources) {
        const rule = ofColumn(relation, column)
        if (rule !== null && (found === null || order.get(rule)! < order.get(found)!)) found = rule
      }
      return found
    },
    ofName: (table, column) => {
      const dot = table.indexOf('.')
      return first(dot === -1 ? '' : table.slice(0, dot), table.slice(dot + 1), column)
    },
  }
}
