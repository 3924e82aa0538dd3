import { describe, expect, it } from 'vitest'
import {
  encodingIsSafe,
  isStartupRefusal,
  readOptions,
  readStartupRequest,
  writeOptions,
} from '../../../services/gateway/protocols/postgres/startup-parameters.ts'
import { readStartupPairs } from '../../../services/gateway/protocols/postgres/startup.ts'

const request = (parameters: Readonly<Record<string, string>>) =>
  readStartupRequest(new Map(Object.entries({ user: 'reader', database: 'shop', ...parameters })))

describe('what a client asks for in its startup message', () => {
  it('the database names the target, or target and database; the user is the role', () => {
    expect(request({})).toMatchObject({ target: 'shop', database: '', role: 'reader' })
    expect(request({ database: 'shop/orders' })).toMatchObject({
      target: 'shop',
      database: 'orders',
    })
    expect(request({ database: 'shop/a/b' })).toMatchObject({ target: 'shop', database: 'a/b' })
  })

  it('settings go on, those inside of options too', () => {
    const read = request({
      application_name: 'psql',
      options: '-c statement_timeout=5s --search_path=a\\ b -cwork_mem=1MB',
    })
    if (isStartupRefusal(read)) throw new Error(read.detail)
    expect([...read.settings]).toEqual([
      ['application_name', 'psql'],
      ['statement_timeout', '5s'],
      ['search_path', 'a b'],
      ['work_mem', '1MB'],
    ])
    expect([...read.parameters.keys()]).toEqual(['application_name', 'options'])
  })

  it('what is said to the gateway itself goes no further, however it is written', () => {
    for (const given of [
      { 'cairn.run': '7' },
      { 'CAIRN.Run': '7' },
      { options: '-c cairn.run=7' },
      { options: '--Cairn.run=7' },
    ] as readonly Readonly<Record<string, string>>[]) {
      const read = request(given)
      if (isStartupRefusal(read)) throw new Error(read.detail)
      expect(read.stated_run).toBe('7')
      expect([...read.parameters]).toEqual([])
      expect([...read.settings]).toEqual([])
    }
    const beside = request({ options: '-c cairn.run=7 -c work_mem=1MB' })
    expect(beside).toMatchObject({ stated_run: '7' })
    expect(!isStartupRefusal(beside) && beside.parameters.get('options')).toBe('-c work_mem=1MB')
    expect(request({})).toMatchObject({ stated_run: '' })
    expect(request({ 'cairn.runs': '7' })).toMatchObject({ reason: 'parameter_refused' })
    expect(request({ 'cairn.run': '7'.repeat(129) })).toMatchObject({ reason: 'parameter_refused' })
    expect(request({ options: '-c cairn.ran=7' })).toMatchObject({ reason: 'parameter_refused' })
  })

  it.each([
    ['role', { role: 'postgres' }],
    ['session_authorization in options', { options: '-c session_authorization=postgres' }],
    ['ROLE in options, in capitals', { options: '-c ROLE=postgres' }],
    ['a role with a dash for its underscore', { options: '--session-replication-role=replica' }],
    ['preloaded libraries', { options: '-clocal_preload_libraries=x' }],
    ["the target's own log", { log_statement: 'none' }],
    ['the same inside of options', { options: '-c log_duration=off' }],
    ['the log of an auditing extension', { options: '-c pgaudit.log=none' }],
    ['a setting behind a space that is none', { options: '-c a.b=z\u00a0-c --role=postgres' }],
    ['options beyond ASCII', { options: '-c a.b=\u00e9' }],
    ['a name that begins with a dash', { options: '-c --role=postgres' }],
    ['a name that begins with three', { options: '---role=postgres' }],
    ['replication', { replication: 'database' }],
    ['physical replication', { replication: 'true' }],
    ['options that are no settings', { options: '-d 5' }],
    ['options that name a file', { options: '-r /tmp/x' }],
    ['an encoding with ASCII inside of characters', { client_encoding: 'SJIS' }],
    ['the same in options, written otherwise', { options: '-c client_encoding=shift_jis' }],
    ['a name that is no setting', { 'a b': 'x' }],
    ['no role', { user: '' }],
    ['a role that is too long', { user: 'r'.repeat(64) }],
  ])('refuses %s', (_, parameters) => {
    expect(isStartupRefusal(request(parameters))).toBe(true)
  })

  it('an ordinary connection may say that it wants no replication', () => {
    expect(isStartupRefusal(request({ replication: 'false' }))).toBe(false)
  })

  it('options end where the server ends them', () => {
    expect(readOptions('')).toEqual([])
    expect(readOptions('  -c   a=b  ')).toEqual([['a', 'b']])
    expect(readOptions('-c a')).toBeNull()
    expect(readOptions('-c =b')).toBeNull()
    expect(readOptions('-c')).toBeNull()
  })

  it('options go on written anew, and mean the same', () => {
    const given = '-c\ta.b=x\\ y\\\\z --search-path=p\v\f-cc.d='
    const read = request({ options: given })
    if (isStartupRefusal(read)) throw new Error(read.detail)
    const sent = read.parameters.get('options')!
    expect(sent).toBe('-c a.b=x\\ y\\\\z -c search_path=p -c c.d=')
    expect(readOptions(sent)).toEqual(readOptions(given))
    expect(writeOptions([])).toBe('')
  })

  it('knows encodings whatever their spelling', () => {
    expect(encodingIsSafe('UTF-8')).toBe(true)
    expect(encodingIsSafe("'utf-8'")).toBe(true)
    expect(encodingIsSafe('Big5')).toBe(false)
    expect(encodingIsSafe('GB_18030')).toBe(false)
  })
})

describe('pairs of a startup message', () => {
  const pairs = (text: string) => readStartupPairs(Buffer.from(text, 'latin1'))

  it('are names and values, and a zero at the end', () => {
    expect([...pairs('user\0me\0database\0d\0\0')!]).toEqual([
      ['user', 'me'],
      ['database', 'd'],
    ])
  })

  it.each([
    ['nothing', ''],
    ['no end', 'user\0me\0'],
    ['a name without a value', 'user\0'],
    ['something behind the end', 'user\0me\0\0x'],
    ['a name twice', 'user\0me\0user\0root\0\0'],
  ])('refuses %s', (_, text) => {
    expect(pairs(text)).toBeNull()
  })
})
