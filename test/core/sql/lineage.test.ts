import { describe, expect, it } from 'vitest'
import { createLineageReader } from '#core/sql/lineage/cached-reader.ts'
import { lineageOf } from '#core/sql/lineage/reader.ts'
import { lineage_limits } from '#core/sql/lineage/reading.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { lineage_cases } from './lineage-cases.ts'
import { catalog } from './lineage-fixture.ts'
import { summaryOf } from './lineage-summary.ts'

const parser = await loadSqlParser()

const summary = (text: string, search_path: readonly string[] = ['public']): string =>
  summaryOf(text, lineageOf(parser, text, catalog, search_path))

const cases = lineage_cases
  .trim()
  .split('\n')
  .map((line) => line.split(' => '))

describe('lineage of a statement', () => {
  it.for(cases)('%s', ([text = '', expected]) => {
    expect(summary(text)).toBe(expected?.trim())
  })
})

describe('a reader of lineages', () => {
  it('reads a text anew for another catalog or search path, and only then', () => {
    const reader = createLineageReader(parser)
    const text = 'select email from people'
    const first = reader.lineage(text, catalog, ['public'])
    expect(reader.lineage(text, catalog, ['public'])).toBe(first)
    expect(reader.lineage(text, catalog, ['elsewhere']).ok).toBe(false)
    const other = { ...catalog, relation: () => undefined }
    expect(reader.lineage(text, other, ['public']).ok).toBe(false)
    expect(reader.lineage(text, catalog, ['public'])).toBe(first)
  })

  it('keeps no more texts than its limits say', () => {
    const reader = createLineageReader(parser, { entries_max: 2 })
    const first = reader.lineage('select 1', catalog, [])
    reader.lineage('select 2', catalog, [])
    reader.lineage('select 3', catalog, [])
    expect(reader.lineage('select 1', catalog, [])).not.toBe(first)
  })
})

describe('a text that costs too much', () => {
  it.for([
    ['deep', `select ${'('.repeat(2000)}1${')'.repeat(2000)}`],
    ['deep rows', `select ${'row('.repeat(900)}1${')'.repeat(900)}`],
    [
      'queries that double',
      `with ${Array.from({ length: 60 }, (_, index) => `r${index + 1} as (select a.x, b.x as y from r${index} a, r${index} b)`).join(', ')} select * from r60`.replace(
        'with ',
        'with r0 as (select ssn as x from people), ',
      ),
    ],
  ])('ends: %s', ([, text = '']) => {
    expect(lineageOf(parser, text, catalog, ['public']).ok).toBeTypeOf('boolean')
  })

  it('is refused when it passes a limit', () => {
    const limits = { ...lineage_limits, nodes_max: 100 }
    const many = `select ${'ssn || '.repeat(200)}ssn from people`
    expect(lineageOf(parser, many, catalog, ['public'], limits)).toEqual({
      ok: false,
      reason: 'it is too large',
    })
  })

  it('may chain thousands of operators', () => {
    const many = `select ${'ssn || '.repeat(3000)}ssn from people`
    const lineage = lineageOf(parser, many, catalog, ['public'])
    expect(lineage.ok && lineage.statements[0]?.outputs?.[0]?.sources).toHaveLength(1)
  })
})
