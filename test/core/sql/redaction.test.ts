import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { analyzeText } from '#core/sql/analyze.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { redactSecrets, type Redacted } from '#core/sql/redaction.ts'

const parser = await loadSqlParser()
const redact = (text: string): Redacted => redactSecrets(text, analyzeText(parser, text).analysis)

/** What must never be found. */
const secret = 'hunter2'

describe('secrets in a text', () => {
  it.for([
    [`create role a login password 'hunter2'`, `create role a login password '***'`],
    [
      `CREATE USER a ENCRYPTED PASSWORD 'hunter2' valid until '2030-01-01'`,
      `CREATE USER a ENCRYPTED PASSWORD '***' valid until '2030-01-01'`,
    ],
    [`alter role a password 'hun''hunter2'`, `alter role a password '***'`],
    [`alter role a password E'hunter2\\'x'`, `alter role a password '***'`],
    [`alter role a password U&'hunter2\\0041'`, `alter role a password '***'`],
    ['alter role a password $$hunter2$$', `alter role a password '***'`],
    ['alter role a password $x$hunter2$$x$', `alter role a password '***'`],
    [`alter role a password 'x'\n 'hunter2'`, `alter role a password '***'\n '***'`],
    [`alter role a password /* 'hunter2' */ 'hunter2'`, undefined],
    [`alter role a password -- hunter2 password hunter2\n 'hunter2'`, undefined],
    [
      `create user mapping for a server s options (user 'me', password 'hunter2')`,
      `create user mapping for a server s options (user 'me', password '***')`,
    ],
    [
      `create user mapping for a server s options ("password" 'hunter2')`,
      `create user mapping for a server s options ("password" '***')`,
    ],
    [`create user mapping for a server s options (U&"p\\0061ssword" 'hunter2')`, undefined],
    [
      `alter user mapping for a server s options (set password 'hunter2')`,
      `alter user mapping for a server s options (set password '***')`,
    ],
    [
      `create subscription s connection 'host=h password=hunter2 user=u' publication p`,
      `create subscription s connection 'host=h password=*** user=u' publication p`,
    ],
    [
      `create subscription s connection 'host=h password=''hunter2 x'' user=u' publication p`,
      undefined,
    ],
    [
      `create subscription s connection 'postgres://u:hunter2@h/d' publication p`,
      `create subscription s connection 'postgres://u:***@h/d' publication p`,
    ],
    [
      `select * from dblink('host=h password=hunter2', 'select 1') as t(a int)`,
      `select * from dblink('host=h password=***', 'select 1') as t(a int)`,
    ],
    [
      `select dblink_connect('c', 'postgresql://u:hunter2@h/d')`,
      `select dblink_connect('c', 'postgresql://u:***@h/d')`,
    ],
    [`do $$ begin execute 'alter role a password ''hunter2'''; end $$`, undefined],
    [`do $$ begin execute format('alter role a password %L', 'hunter2'); end $$`, undefined],
    [
      `create function f() returns void language sql as 'alter role a password ''hunter2'''`,
      undefined,
    ],
    [`copy t to program 'psql "password=hunter2"'`, undefined],
    [`alter system set primary_conninfo = 'host=h password=hunter2'`, undefined],
    [`select 1 where password = 'hunter2'`, `select 1 where password = '***'`],
    [
      `update users set password = 'hunter2' where id = 1`,
      `update users set password = '***' where id = 1`,
    ],
    [
      `select 1; alter role a password 'hunter2'; select 'kept'`,
      `select 1; alter role a password '***'; select 'kept'`,
    ],
    [`alter role a password 'hunter2`, undefined],
    [`alter role a password hunter2`, undefined],
    [`alter role a password "hunter2"`, undefined],
    [`alter rol a password 'hunter2'`, undefined],
    [`alter role a password 'x' 'hunter2'`, undefined],
    [`/* alter role a password 'hunter2' */ select 1`, undefined],
    [`-- password=hunter2\nselect 1`, undefined],
    [
      `do $$ begin execute 'alter role a pass' || 'word ' || quote_literal('hunter2'); end $$`,
      undefined,
    ],
    [
      `select set_config('my.password', 'hunter2', false)`,
      `select set_config('my.password', '***', false)`,
    ],
    [`set my.secret = 'hunter2'`, `set my.secret = '***'`],
    [`alter role a pasword 'hunter2'`, `alter role a pasword '***'`],
    [`/* x */ create server s optons (x 'hunter2')`, undefined],
    [
      `create server s foreign data wrapper f options (api_key 'hunter2', host 'h')`,
      `create server s foreign data wrapper f options (api_key '***', host 'h')`,
    ],
  ] as const)('do not come through: %s', ([text, expected]) => {
    const { text: redacted, error, count } = redact(text)
    expect(redacted).not.toContain(secret)
    expect(error).not.toContain(secret)
    expect(count).toBeGreaterThan(0)
    if (expected !== undefined) expect(redacted).toBe(expected)
  })

  it.for([
    `select 'hello' from t where a = 'b'`,
    `select password from users where id = 7`,
    `insert into t (password, note) values (default, 'kept')`,
    'create role a password null',
    `select 'https://example.com/a?b=c'`,
    `select 'it says password here'`,
  ])('leave everything else as it is: %s', (text) => {
    expect(redact(text)).toMatchObject({ text, count: 0 })
  })

  it('are handed on as the server reads them, for the answers', () => {
    expect(
      redact(`do $$ begin execute 'alter role a password ''hunter2'''; end $$`).secrets,
    ).toContain(secret)
    expect(redact(`alter role a password E'hunt\\x65r2'`).secrets).toContain(secret)
    expect(redact('select 1').secrets).toEqual([])
  })

  it.for([
    ['update users set password = $1', true],
    [`select format('alter role a password %L', $1::text)`, true],
    ['select dblink_connect($1)', true],
    ['select password from users where id = $1', false],
  ] as const)('may be bound to parameters: %s', ([text, expected]) => {
    expect(redact(text).secret_parameters).toBe(expected)
  })

  it('leave the statements where they stand in the redacted text', () => {
    const text = `select 'ü'; alter role "ö" password 'hunter2-hunter2'; select 'ß' as a; alter role b password 'x' ; select 2`
    const { text: redacted, statements } = redact(text)
    const bytes = Buffer.from(redacted)
    expect(
      statements.map(({ offset, length }) => bytes.toString('utf8', offset, offset + length)),
    ).toEqual([
      `select 'ü'`,
      `alter role "ö" password '***'`,
      `select 'ß' as a`,
      `alter role b password '***'`,
      'select 2',
    ])
  })

  it('stay away whatever the password is made of', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8, unit: 'grapheme' }), (password) => {
        const clean = password.replaceAll('\0', 'x')
        const quoted = clean.replaceAll("'", "''")
        const { text } = redact(`alter role a password '${quoted}' valid until 'infinity'`)
        expect(text).toBe(`alter role a password '***' valid until 'infinity'`)
      }),
      { numRuns: 300 },
    )
  })

  it('take linear time, also when quotes and comments do not end', () => {
    const started = performance.now()
    for (const part of ["'", '$a$', '/*', '"', "e'\\", 'password ', "password='", 'a://b:', "''"])
      redactSecrets(`password ${part.repeat(100_000)}`, {
        ok: false,
        kind: 'syntax',
        error: '',
        position: 0,
      })
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})

describe('a text made to be slow', () => {
  it('of addresses that never end is read in one go', () => {
    const text = `select '${'a://a:'.repeat(200_000)}'`
    expect(redact(text)).toMatchObject({ text, count: 0 })
    const ended = redact(`select '${'a://a:'.repeat(1000)}hunter2@host'`)
    expect(ended.text).toBe(`select 'a://a:***@host'`)
  })

  it('of more parts than are analysed is recorded by its beginning, secrets replaced, and hashed as that', () => {
    const text = `alter role a password 'hunter2'${';'.repeat(30_000_000)}`
    const { text: kept, count } = redact(text)
    expect(kept).toBe(`alter role a password '***'${';'.repeat(65_536 - 31)}`)
    expect(count).toBe(2)
  })
})
