import { expect, test } from 'vitest'
import { sqlTokens } from '../../services/replay/http/sql-tokens.ts'

const texts = (sql: string): readonly string[] | undefined =>
  sqlTokens(sql)?.map(({ kind, text }) => `${kind} ${text}`)

test('identifiers, strings, numbers, parameters and marks are told apart', () => {
  expect(texts("SELECT `a b`.c, 'it''s \\' x', 1.5e3, {p:Array(UInt8)} FROM \"t\"")).toEqual([
    'word SELECT',
    'quoted a b',
    'mark .',
    'word c',
    'mark ,',
    "string it''s \\' x",
    'mark ,',
    'number 1.5e3',
    'mark ,',
    'parameter {p:Array(UInt8)}',
    'word FROM',
    'quoted t',
  ])
})

test('nothing in a string counts as a statement', () => {
  expect(texts("SELECT 'INTO OUTFILE file(1);'")).toEqual([
    'word SELECT',
    'string INTO OUTFILE file(1);',
  ])
})

test('comments and quotes that do not end are no statement of the formatter', () => {
  for (const sql of ['SELECT 1 -- x', 'SELECT /* x */ 1', "SELECT 'x", 'SELECT `x', "SELECT 'x\\'"])
    expect(sqlTokens(sql)).toBeNull()
})
