import { describe, expect, it } from 'vitest'
import { effectOn, type SqlAnalysed, type SqlUnparsed } from '#core/sql/analysis.ts'
import { analyzeText } from '#core/sql/analyze.ts'
import { nothing_shifted } from '#core/sql/naming.ts'
import { statement_effects_max } from '#core/sql/walk.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { effect_cases } from './effect-cases.ts'

const parser = await loadSqlParser()

const analysed = (text: string): SqlAnalysed => {
  const { analysis } = analyzeText(parser, text)
  if (!analysis.ok) throw new Error(`${text}: ${analysis.error}`)
  return analysis
}

const unparsed = (text: string): SqlUnparsed => {
  const { analysis } = analyzeText(parser, text)
  if (analysis.ok) throw new Error(`${text} was parsed`)
  return analysis
}

const summary = (text: string): string => {
  const [statement] = analysed(text).statements
  const effects = statement?.effects.map(({ action, object }) => `${action} ${object}`.trim()) ?? []
  return `${statement?.verb}: ${effects.join('; ')}`.trim()
}

const cases = effect_cases
  .trim()
  .split('\n')
  .map((line) => line.split(' => '))

describe('effects of a statement', () => {
  it.for(cases)('%s', ([text = '', expected]) => {
    expect(summary(text)).toBe(expected?.trim())
  })

  it('are the same however the text is written', () => {
    for (const [text = '', expected] of cases) {
      const spread = `/* a ' comment */ \n\t${text} -- the end`
      expect(summary(spread)).toBe(expected?.trim())
    }
  })

  it('of all relations and of all statements of a text are found', () => {
    const { statements, pureRead } = analysed('select 1; drop table a; ; select * from b;')
    expect(statements.map(({ verb }) => verb)).toEqual(['select', 'ddl.drop', 'select'])
    expect(pureRead).toBe(false)
  })

  it('end in one unknown when there are too many', () => {
    const many = Array.from({ length: statement_effects_max + 50 }, (_, index) => `t${index}`)
    const effects = analysed(`select 1 from ${many.join(', ')}`).statements[0]?.effects ?? []
    expect(effects).toHaveLength(statement_effects_max + 1)
    expect(effects.at(-1)).toEqual(effectOn('unknown'))
  })
})

describe('the place of a statement', () => {
  it.for([
    ['  select 1  ', ['select 1']],
    [" ; select 1 ; /* ü */ select 'ß' ;; -- end", ['select 1', "select 'ß'"]],
    ['/* ü */ select 1; select 2 -- x', ['select 1', 'select 2 -- x']],
    ['', []],
    [' -- nothing\n ; ', []],
  ] as const)('is counted in bytes without what is around it: %s', ([text, expected]) => {
    const bytes = Buffer.from(text)
    expect(
      analysed(text).statements.map(({ offset, length }) =>
        bytes.toString('utf8', offset, offset + length),
      ),
    ).toEqual(expected)
  })
})

describe('what stays in a session', () => {
  it('is every name that PREPARE gives, with the text and the effects it will run', () => {
    const text = `prepare "as" (int, text) as /* c */ insert into t select * from u; prepare b as select 'ü' as a`
    expect(analysed(text).prepares).toEqual([
      {
        name: 'as',
        types: 2,
        text: '/* c */ insert into t select * from u',
        verb: 'insert',
        effects: [
          { ...effectOn('insert', 't'), columns: ['*'] },
          { ...effectOn('select', 'u'), columns: ['*'] },
        ],
        sets: [],
        shifts: nothing_shifted,
        pureRead: false,
      },
      {
        name: 'b',
        types: 0,
        text: `select 'ü' as a`,
        verb: 'select',
        effects: [],
        sets: [],
        shifts: nothing_shifted,
        pureRead: true,
      },
    ])
  })

  it.for([
    ['execute p', [{ name: 'p', args: '', explained: false }]],
    [`execute p (1, f(')'), 'ü')`, [{ name: 'p', args: `1, f(')'), 'ü'`, explained: false }]],
    ['explain (costs off) execute "P"(1)', [{ name: 'P', args: '1', explained: true }]],
    ['explain analyze execute p', [{ name: 'p', args: '', explained: false }]],
    ['create table t as execute p((2))', [{ name: 'p', args: '(2)', explained: false }]],
  ] as const)('EXECUTE is seen wherever it stands: %s', ([text, expected]) => {
    expect(analysed(text).executes).toEqual(expected)
  })

  it.for([
    ['deallocate p', ['p']],
    ['deallocate all', ['*']],
    ['discard all', ['*']],
    ['discard temp', []],
  ] as const)('DEALLOCATE and DISCARD forget names: %s', ([text, expected]) => {
    expect(analysed(text).deallocates).toEqual(expected)
  })

  it.for([
    [`set search_path = a, 'b', "C"`, { name: 'search_path', value: 'a, b, "C"', local: false }],
    ['set local statement_timeout to 10', { name: 'statement_timeout', value: '10', local: true }],
    ['set seed = -0.5', { name: 'seed', value: '-0.5', local: false }],
    ['set x.y = on', { name: 'x.y', value: 'on', local: false }],
    ['set a = default', { name: 'a', value: undefined, local: false }],
    ['set "Search_Path" from current', { name: 'search_path', value: undefined, local: false }],
    ['reset all', { name: '*', value: undefined, local: false }],
    ['discard all', { name: '*', value: undefined, local: false }],
    ['set role "Admin"', { name: 'role', value: 'Admin', local: false }],
    ['set session authorization a', { name: 'session_authorization', value: 'a', local: false }],
    [
      `select set_config('Search_Path', 'x', true)`,
      { name: 'search_path', value: 'x', local: true },
    ],
    [`select pg_catalog.set_config('a'||'b', 'x', f)`, { name: '', value: 'x', local: false }],
    [`update pg_settings set setting = 'x'`, { name: '', value: undefined, local: false }],
  ] as const)('a change of a setting is seen: %s', ([text, expected]) => {
    expect(analysed(text).sets).toEqual([expected])
  })

  it.for([
    'alter role r set role = admin',
    'alter database d set search_path = x',
    'alter system set work_mem = 1',
    'create function f() returns int language sql set role = admin as $$ select 1 $$',
  ])('a setting of something else is not one of the session: %s', (text) => {
    expect(analysed(text).sets).toEqual([])
  })

  it('is each step of a transaction', () => {
    expect(analysed('begin; savepoint a; rollback to a; release a; end').transactions).toEqual([
      'begin',
      'savepoint',
      'rollback_to',
      'release',
      'commit',
    ])
  })
})

describe('a text that cannot be parsed', () => {
  it.for([
    ['selec 1', 'syntax error at or near "selec"', 1],
    [`select 'ü', 'ß' frm t`, 'syntax error at or near "t"', 21],
    ['select (1', 'syntax error at end of input', 10],
    [`select 'a`, `unterminated quoted string at or near "'a"`, 8],
    ['select 1\0; drop table t', 'invalid character NUL in the text', 0],
  ] as const)(
    'gives the message and the character of PostgreSQL: %s',
    ([text, error, position]) => {
      expect(unparsed(text)).toEqual({ ok: false, kind: 'syntax', error, position })
    },
  )

  it('is refused when it is too large, has too many parts or too many statements', () => {
    const limits = { text_length_max: 1000, tokens_max: 100, statements_max: 2 }
    const of = (text: string) => analyzeText(parser, text, limits).analysis
    expect(of(`select '${'x'.repeat(1000)}'`)).toMatchObject({ ok: false, kind: 'limit' })
    expect(of(`select ${'1,'.repeat(100)}1`)).toMatchObject({ ok: false, kind: 'limit' })
    expect(of('select 1; select 2; select 3')).toMatchObject({ ok: false, kind: 'limit' })
    expect(of(`select '${'x '.repeat(400)}' -- ${'y '.repeat(50)}`)).toMatchObject({ ok: true })
  })

  it('is found behind nine megabytes of padding', () => {
    const padding = ' '.repeat(9_000_000)
    for (const text of [`select 1;${padding}drop table t`, `/*${padding}*/drop table t`])
      expect(analysed(text).statements.at(-1)?.effects).toEqual([effectOn('ddl.drop', 't')])
  })
})
