import { anyOf, type Matcher } from '../policy/pattern.ts'

/**
 * Which columns a rule is for: `table.column` in any schema or `schema.table.column`, `*` standing for any run of characters within a part. A name
 * that holds a dot is matched by a `*` in its place. Names are as the database has them: lower case unless they were quoted.
 */
export type ColumnName = {
  readonly schema: string
  readonly table: string
  /** `*`: any column of the table, as of a whole row. */
  readonly column: string
}

const parts_min = 2
const parts_max = 3

/** Whether a text is such a pattern. */
export const isColumnPattern = (pattern: string): boolean => {
  const parts = pattern.split('.')
  return (
    parts.length >= parts_min && parts.length <= parts_max && parts.every((part) => part !== '')
  )
}

type Pattern = { readonly schema: Matcher; readonly table: Matcher; readonly column: Matcher }

const compile = (pattern: string): Pattern => {
  const parts = pattern.split('.')
  const [schema = '*', table = '*', column = '*'] =
    parts.length === parts_min ? ['*', ...parts] : parts
  return { schema: anyOf([schema]), table: anyOf([table]), column: anyOf([column]) }
}

/** Compiles a rule's columns. */
export const columnMatcher = (patterns: readonly string[]): ((name: ColumnName) => boolean) => {
  const compiled = patterns.map(compile)
  return ({ schema, table, column }) =>
    compiled.some(
      (pattern) =>
        pattern.table(table) &&
        pattern.schema(schema) &&
        (column === '*' || pattern.column(column)),
    )
}
