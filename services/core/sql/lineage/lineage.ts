import type { CatalogRelation } from '../catalog.ts'

/** A column of a base relation. Views are resolved to what they are made of, and named as well: a rule may be about either. */
export type SourceColumn = {
  readonly relation: CatalogRelation
  /** Name of the column; `*` stands for a whole row. */
  readonly column: string
}

/** One column of a statement's result. */
export type OutputColumn = {
  readonly name: string
  /** Every base column that the value could depend on, also through conditions of CASE and the like. */
  readonly sources: readonly SourceColumn[]
  /** The value is one base column as it is, no expression over it. */
  readonly direct: boolean
}

/** Values that go into a column: INSERT, UPDATE, MERGE, CREATE TABLE AS, SELECT INTO, COPY TO a file or program. */
export type DataFlow = {
  /** `schema.name` of what is written; the file or program for COPY; empty when the text does not tell. */
  readonly into: string
  readonly into_column: string
  readonly sources: readonly SourceColumn[]
  /** What the column gets of itself: `set a = lower(a)`; not `set a = excluded.a`. */
  readonly own: readonly SourceColumn[]
}

/** A literal of the text that is compared with, or written into, columns: recording it would record their values. */
export type ColumnLiteral = {
  /** Bytes in the UTF-8 text, quotes and prefixes (E, U&, $tag$) included. */
  readonly offset: number
  readonly length: number
  readonly sources: readonly SourceColumn[]
}

/** A parameter ($1 is 1) that is compared with, or written into, columns. */
export type ColumnParameter = { readonly number: number; readonly sources: readonly SourceColumn[] }

/** Where the data of one statement comes from and goes to. */
export type StatementLineage = {
  /** Null when the statement returns no rows, or those of what it `continues`. For COPY TO STDOUT the columns of the copy; for COPY FROM STDIN null. */
  readonly outputs: readonly OutputColumn[] | null
  /** Every base column that is read anywhere in the statement, conditions included. */
  readonly reads: readonly SourceColumn[]
  readonly flows: readonly DataFlow[]
  readonly literals: readonly ColumnLiteral[]
  readonly parameters: readonly ColumnParameter[]
  /**
   * Columns that could be read off the number of rows, and off nothing masked: `generate_series(1, salary)`, `join digits d on d.n <= salary`,
   * `limit (select ...)`. No mask of values hides these.
   */
  readonly rows: readonly SourceColumn[]
  /**
   * What the statement calls and nobody could follow: functions of somebody's own, by name. Their results are said to depend on their arguments
   * only; they might read anything. Whoever must know what is shown refuses these.
   */
  readonly opaque: readonly string[]
  /** COPY ... FROM STDIN: for each column of the data in order where it goes (a partition's and its parent's column); else null. */
  readonly copy_in: readonly (readonly SourceColumn[])[] | null
  /** A cursor that DECLARE names; else empty. The outputs are those that FETCH will show. */
  readonly declares: string
  /** A statement that PREPARE names; else empty. Outputs, flows, literals and parameters are those of the statement. */
  readonly prepares: string
  /** A cursor that FETCH reads, or a statement that EXECUTE runs; else empty: the outputs are those of what it names. */
  readonly continues: string
  /** EXECUTE: for each argument in order the literals in it (sources empty): they belong to the columns of that parameter. Else empty. */
  readonly arguments: readonly (readonly ColumnLiteral[])[]
}

/** `ok` false: something in the text is not in the catalog, or cannot be followed. What it shows cannot be told: fail closed. */
export type Lineage =
  | { readonly ok: true; readonly statements: readonly StatementLineage[] }
  | { readonly ok: false; readonly reason: string }
