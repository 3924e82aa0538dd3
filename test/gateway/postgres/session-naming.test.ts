import { describe, expect, it } from 'vitest'
import { createCatalog } from '#core/sql/catalog-index.ts'
import { movesOf } from '#core/sql/name-moves.ts'
import { nothing_shifted, type ShiftedNames } from '#core/sql/naming.ts'
import { createSqlAnalyzer } from '#core/sql/analyzer.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import type { SessionCatalog } from '../../../services/gateway/protocols/postgres/catalog/catalogs.ts'
import { openSessionNaming } from '../../../services/gateway/protocols/postgres/catalog/session-naming.ts'

const analyzer = createSqlAnalyzer(await loadSqlParser())

const moves = (text: string) => {
  const analysis = analyzer.analyze(text)
  if (!analysis.ok) throw new Error(analysis.error)
  return movesOf(
    analysis.statements.flatMap(({ effects }) => effects),
    analysis.sets,
    analysis.shifts,
  )
}

const relation = (schema: string, name: string, oid: number) =>
  ({
    oid,
    schema,
    name,
    kind: 'table',
    columns: [],
    definition: null,
    parents: [],
  }) as const

const content = createCatalog({
  version: 1,
  relations: [relation('public', 'orders', 1), relation('app', 'people', 2)],
  functions: [],
})

type Fake = { readonly catalog: SessionCatalog; readonly changes: ShiftedNames[] }

const fake = (schemas: readonly string[] = ['public', 'app']): Fake => {
  const changes: ShiftedNames[] = []
  const catalog: SessionCatalog = {
    current: () => content,
    naming: (search_path) => ({ catalog: content, search_path }),
    shifted: () => nothing_shifted,
    hasSchema: (name) => schemas.includes(name),
    temporarySchema: () => undefined,
    pending: () => null,
    changed: (names) => void changes.push(names),
    missed: () => undefined,
    fresh: () => Promise.resolve(content),
    release: () => undefined,
  }
  return { catalog, changes }
}

const idle = 0x49
const within = 0x54
const none_due = Number.POSITIVE_INFINITY

type Given = { readonly reported?: string | null; readonly with?: Fake }

const session = ({ reported = '"$user", public', with: given = fake() }: Given = {}) => {
  const naming = openSessionNaming({
    catalog: given.catalog,
    parameters: new Map(reported === null ? [] : [['search_path', reported]]),
    asked_path: undefined,
    user: 'deploy',
    pid: 7,
  })
  let batch = 0
  return {
    naming,
    changes: given.changes,
    path: () => naming.current().search_path,
    knows: (name: string) =>
      naming.current().catalog?.relation({ schema: '', name }, ['public', 'app']) !== undefined,
    send: (text: string) => {
      batch += 1
      const found = moves(text)
      if (found !== null) naming.sent(found, batch)
    },
    ready: (status = idle) => naming.ready(status, none_due),
  }
}

describe('what names mean in a session', () => {
  it('follows the search path that the server reports, and knows none while the answer is due', () => {
    const one = session()
    expect(one.path()).toEqual(['deploy', 'public'])
    expect(one.naming.current()).toBe(one.naming.current())
    one.send('set search_path = app')
    expect(one.path()).toBeUndefined()
    expect(one.naming.waits('select 1', true)).toBe(true)
    expect(one.naming.waits('select 1', false)).toBe(false)
    one.naming.reportedPath('app')
    one.ready()
    expect(one.path()).toEqual(['app'])
    expect(one.naming.waits('select 1', true)).toBe(false)
  })

  it.each([
    'set search_path = app',
    'set local search_path = app',
    `select set_config('search_path', 'app', false)`,
    `select set_config($1, $2, false)`,
    'reset search_path',
    'reset all',
    'discard all',
    `update pg_settings set setting = 'app' where name = 'search_path'`,
    'do $$ begin execute something; end $$',
    'set role other',
  ])('%s puts it in doubt', (text) => {
    const one = session()
    one.send(text)
    expect(one.path()).toBeUndefined()
  })

  it.each(['select 1', 'set statement_timeout = 5', 'insert into t values (1)', 'commit', 'begin'])(
    '%s does not',
    (text) => {
      const one = session()
      one.send(text)
      expect(one.path()).toEqual(['deploy', 'public'])
    },
  )

  it('the end of a transaction may undo what was set in it', () => {
    const one = session()
    one.send('begin')
    one.ready(within)
    one.send('set search_path = app')
    one.naming.reportedPath('app')
    one.ready(within)
    expect(one.path()).toEqual(['app'])
    one.send('rollback')
    expect(one.path()).toBeUndefined()
    one.naming.reportedPath('"$user", public')
    one.ready()
    expect(one.path()).toEqual(['deploy', 'public'])
    one.send('commit')
    expect(one.path()).toEqual(['deploy', 'public'])
  })

  it('a role that may be another leaves the path unknown only where it makes a difference', () => {
    const without = session()
    without.send('set role app_owner')
    without.ready()
    expect(without.path()).toEqual(['deploy', 'public'])
    const withSchema = session({ with: fake(['public', 'app_owner']) })
    withSchema.send('set role app_owner')
    withSchema.ready()
    expect(withSchema.path()).toBeUndefined()
    const plain = session({ reported: 'public', with: fake(['public', 'app_owner']) })
    plain.send('set role app_owner')
    plain.ready()
    expect(plain.path()).toEqual(['public'])
  })

  it('a server that does not report the path leaves it unknown once it may have changed', () => {
    const one = session({ reported: null })
    expect(one.path()).toBeUndefined()
    const other = openSessionNaming({
      catalog: fake().catalog,
      parameters: new Map(),
      asked_path: 'app',
      user: 'deploy',
      pid: null,
    })
    expect(other.current().search_path).toEqual(['app'])
    other.sent(moves('set search_path = public')!, 1)
    other.ready(idle, none_due)
    expect(other.current().search_path).toBeUndefined()
  })

  it('names that were changed are not known until the change is committed and loaded', () => {
    const one = session()
    expect(one.knows('orders')).toBe(true)
    one.send('begin')
    one.ready(within)
    one.send('create or replace view orders as select * from people')
    expect(one.knows('orders')).toBe(false)
    expect(one.knows('people')).toBe(true)
    one.ready(within)
    expect(one.knows('orders')).toBe(false)
    expect(one.changes).toEqual([])
    one.send('commit')
    one.ready()
    expect(one.changes).toEqual([{ all: false, names: new Set(['orders']) }])
  })

  it('a text that names what is being changed waits for the answer, another one does not', () => {
    const one = session()
    one.send('create or replace view orders as select * from people')
    expect(one.naming.waits('select * from Orders', true)).toBe(true)
    expect(one.naming.waits('select * from "orders"', true)).toBe(true)
    expect(one.naming.waits('select * from u&"\\006frders"', true)).toBe(true)
    expect(one.naming.waits('select * from reorders, orders_old', true)).toBe(false)
    expect(one.naming.waits('select * from orders', false)).toBe(false)
  })

  it('code that does not show what it does may have changed any name', () => {
    const one = session()
    one.send('do $$ begin execute something; end $$')
    expect(one.knows('people')).toBe(false)
  })
})
