import { describe, expect, it } from 'vitest'
import type { Effect, SqlAnalysed } from '#core/sql/analysis.ts'
import { analyzeText, sql_limits } from '#core/sql/analyze.ts'
import type { Naming } from '#core/sql/naming.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { database, database_cases, database_path } from './database-cases.ts'

const parser = await loadSqlParser()
const naming: Naming = { catalog: database(), search_path: database_path }

const analysed = (text: string, where: Naming = naming): SqlAnalysed => {
  const { analysis } = analyzeText(parser, text, sql_limits, where)
  if (!analysis.ok) throw new Error(`${text}: ${analysis.error}`)
  return analysis
}

const shown = ({ action, object, columns, via }: Effect): string =>
  [
    action,
    object,
    columns.length === 0 ? '' : `(${columns.join(', ')})`,
    via === '' ? '' : `[${via}]`,
  ]
    .filter((part) => part !== '')
    .join(' ')

const effects = (text: string, where?: Naming): readonly string[] =>
  analysed(text, where).statements.flatMap((statement) => statement.effects.map(shown))

const cases = database_cases
  .trim()
  .split('\n')
  .map((line) => line.split(' =>'))

describe('effects in a database that is known', () => {
  it.for(cases)('%s', ([text = '', expected = '']) => {
    const wanted = expected.trim() === '' ? [] : expected.trim().split('; ')
    expect(effects(text).toSorted()).toEqual(wanted.toSorted())
  })
})
