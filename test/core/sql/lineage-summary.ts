import type {
  ColumnLiteral,
  Lineage,
  SourceColumn,
  StatementLineage,
} from '#core/sql/lineage/lineage.ts'

/**
 * A lineage in one line: `name(sources)` for each output, `!` where it is one column as it is, then what else there is, each after
 * a bar. Columns are `table.column`.
 */
export const summaryOf = (text: string, lineage: Lineage): string => {
  if (!lineage.ok) return `refused: ${lineage.reason}`
  return lineage.statements.map((statement) => statementSummary(text, statement)).join(' ;; ')
}

export const columnsOf = (sources: readonly SourceColumn[]): string =>
  sources
    .map(({ relation, column }) => `${relation.name}.${column}`)
    .sort()
    .join(',')

const literal = (text: string, { offset, length }: ColumnLiteral): string =>
  Buffer.from(text).toString('utf8', offset, offset + length)

const statementSummary = (text: string, statement: StatementLineage): string => {
  const outputs = statement.outputs?.map(
    ({ name, direct, sources }) => `${name}${direct ? '!' : ''}(${columnsOf(sources)})`,
  )
  const parts = [
    outputs?.join(' ') ?? '-',
    ...statement.flows.map(({ into, into_column, sources, own }) =>
      [`${into}.${into_column} <-`, columnsOf(sources), ...(own.length > 0 ? ['itself'] : [])]
        .filter((part) => part !== '')
        .join(' '),
    ),
    ...statement.literals.map((at) => `${literal(text, at)}(${columnsOf(at.sources)})`),
    ...statement.parameters.map(({ number, sources }) => `$${number}(${columnsOf(sources)})`),
    ...(statement.rows.length > 0 ? [`rows ${columnsOf(statement.rows)}`] : []),
    ...(statement.opaque.length > 0 ? [`opaque ${statement.opaque.join(',')}`] : []),
    ...(statement.copy_in ? [`copied ${statement.copy_in.map(columnsOf).join(' ')}`] : []),
    ...(statement.declares ? [`declares ${statement.declares}`] : []),
    ...(statement.prepares ? [`prepares ${statement.prepares}`] : []),
    ...(statement.continues ? [`continues ${statement.continues}`] : []),
    ...(statement.arguments.length > 0
      ? [
          `arguments ${statement.arguments
            .map((all) => all.map((at) => literal(text, at)).join(' '))
            .join(', ')}`,
        ]
      : []),
  ]
  return parts.join(' | ')
}
