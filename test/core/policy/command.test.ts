import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { effectOn, firstVerb, type Effect, type SqlAnalysed } from '#core/sql/analysis.ts'
import { createSqlAnalyzer, type SqlAnalyzer } from '#core/sql/analyzer.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { nothing_shifted } from '#core/sql/naming.ts'
import type { PolicyCommand } from '#core/policy/command-evaluation.ts'
import { builtin_rules, type CommandDecision } from '#core/policy/decision.ts'
import type { PolicyRule } from '#core/policy/policy-rule.ts'
import { openPolicySession } from '#core/policy/policy-session.ts'
import { compilePolicies } from '#core/policy/policy-set.ts'
import { now_ms, policyRule as rule, sessionRequest } from './policies.ts'

let analyzer: SqlAnalyzer
beforeAll(async () => {
  analyzer = createSqlAnalyzer(await loadSqlParser())
})

const sqlCommand = (text: string): PolicyCommand => {
  const analysis = analyzer.analyze(text)
  return {
    kind: 'query',
    statement: {
      text,
      text_bytes: Buffer.byteLength(text),
      secrets: [],
      masked: [],
      verb: firstVerb(analysis),
      statements: analysis.ok ? analysis.statements : [],
      analysis,
    },
    parameters: [],
  }
}

const analysed: SqlAnalysed = {
  ok: true,
  fingerprint: '',
  statements: [],
  pureRead: false,
  prepares: [],
  executes: [],
  deallocates: [],
  transactions: [],
  sets: [],
  steady: true,
  shifts: nothing_shifted,
  unresolved: false,
  secrets: 0,
}

/** A command of one statement with just these effects. */
const effectCommand = (...effects: readonly Effect[]): PolicyCommand => ({
  kind: 'query',
  statement: {
    text: '',
    text_bytes: 0,
    secrets: [],
    masked: [],
    verb: 'x',
    statements: [{ verb: 'x', effects }],
    analysis: analysed,
  },
  parameters: [],
})

const hold = { groups: ['dba', 'lead'], quorum: 1, expires_s: 900 }

const decideAll = (
  rules: readonly PolicyRule[],
  command: PolicyCommand,
  options: { readonly dry_run?: boolean; readonly path?: readonly string[] | null } = {},
): CommandDecision =>
  openPolicySession(sessionRequest).command(
    compilePolicies(rules, 'digest', { dry_run: options.dry_run ?? false }),
    command,
    options.path === undefined ? ['public'] : options.path,
    now_ms,
  )

const outcome = (rules: readonly PolicyRule[], text: string): string =>
  decideAll(rules, sqlCommand(text)).outcome

describe('a command', () => {
  it('is denied when no policy allows what it does, in words that say what is missing', () => {
    const reader = rule('reader', { actions: ['select'] })
    expect(decideAll([reader], sqlCommand('delete from orders; select 1'))).toEqual({
      outcome: 'deny',
      rules: [builtin_rules.default_deny],
      reason: 'no policy allows delete on "orders"',
      policy_digest: 'digest',
      risk: 30,
      dry_run: false,
      hold: null,
    })
  })

  it('is allowed when every effect of every statement is, by the rules that say so', () => {
    const rules = [
      rule('reader', { actions: ['select'] }),
      rule('writer', { actions: ['insert', 'update'] }),
      rule('other', { actions: ['ddl.*'] }),
    ]
    expect(
      decideAll(rules, sqlCommand('insert into a select * from b; update c set d = 1')),
    ).toMatchObject({ outcome: 'allow', rules: ['reader', 'writer'] })
    expect(outcome(rules, 'insert into a select * from b; delete from c')).toBe('deny')
  })

  it('has the strictest outcome of its statements, whatever their order', () => {
    const rules = [
      rule('all', { actions: ['*'] }),
      rule('held', { effect: 'hold', hold, actions: ['ddl.*'] }),
      rule('no', { effect: 'deny', actions: ['truncate'] }),
    ]
    const statements = {
      'select 1': 'allow',
      'create table x (a int)': 'hold',
      'truncate orders': 'deny',
    }
    const strictness = ['deny', 'hold', 'allow']
    fc.assert(
      fc.property(fc.shuffledSubarray(Object.entries(statements), { minLength: 1 }), (some) => {
        const text = some.map(([sql]) => sql).join('; ')
        const expected = strictness.find((one) => some.some(([, said]) => said === one))
        expect(outcome(rules, text)).toBe(expected)
      }),
    )
  })

  it('counts as its verb when it touches nothing', () => {
    expect(outcome([rule('a', { actions: ['select'] })], 'select 1')).toBe('allow')
    expect(outcome([rule('a', { actions: ['insert'] })], 'select 1')).toBe('deny')
    expect(outcome([rule('a', { actions: ['show'] })], 'show work_mem')).toBe('allow')
  })

  it('may be empty for whoever may do anything', () => {
    expect(outcome([rule('a', { actions: ['ddl.drop'] })], ' -- nothing')).toBe('allow')
    expect(outcome([], '')).toBe('deny')
  })

  it('is denied when it could not be parsed, also in a dry run', () => {
    for (const dry_run of [false, true])
      expect(
        decideAll([rule('a', { actions: ['*'] })], sqlCommand('selec 1'), { dry_run }),
      ).toMatchObject({
        outcome: 'deny',
        rules: [builtin_rules.unparsed],
        risk: 90,
        dry_run: false,
      })
  })

  it('is unknown when the gateway never saw it', () => {
    const command = effectCommand()
    const unseen = {
      ...command,
      statement: { ...command.statement, verb: 'unknown', statements: [] },
    }
    expect(decideAll([rule('a')], unseen).outcome).toBe('deny')
    expect(decideAll([rule('a', { actions: ['*'] })], unseen).outcome).toBe('allow')
  })

  it('has the risk of its worst effect', () => {
    const risk = (...actions: readonly string[]): number =>
      decideAll([], effectCommand(...actions.map((action) => effectOn(action)))).risk
    expect(risk('select')).toBe(1)
    expect(risk('select', 'delete', 'insert')).toBe(30)
    expect(risk('copy.program')).toBe(90)
  })

  it('is denied when it does too many different things at once, and alike ones count once', () => {
    const statement = (object: string) => ({
      verb: 'select',
      effects: [effectOn('select', object)],
    })
    const many = (objects: readonly string[]): PolicyCommand => {
      const command = effectCommand()
      const statements = objects.map(statement)
      return { ...command, statement: { ...command.statement, statements } }
    }
    const all = [rule('a', { actions: ['*'] })]
    const numbers = Array.from({ length: 10_001 }, (_, index) => `t${index}`)
    expect(decideAll(all, many(numbers))).toMatchObject({
      outcome: 'deny',
      rules: [builtin_rules.too_much],
    })
    expect(decideAll(all, many(numbers.slice(1))).outcome).toBe('allow')
    expect(decideAll(all, many(numbers.map(() => 't')))).toMatchObject({
      outcome: 'allow',
      reason: 'select on "t": allowed by a',
    })
  })

  it('keeps names that a client chose inside of quotes', () => {
    const command = sqlCommand('select * from "x\nroot: allowed"')
    expect(decideAll([], command).reason).not.toContain('\n')
  })
})

describe('opaque actions', () => {
  it.for([
    'do $$ begin null; end $$',
    `copy orders to program 'cat'`,
    `copy orders from '/tmp/x'`,
    `select pg_read_file('/etc/passwd')`,
    `select lo_export(1, '/tmp/x')`,
    'set role postgres',
    'set session authorization postgres',
    'select pg_terminate_backend(1)',
    `select query_to_xml('select 1', true, true, '')`,
  ])('%s is allowed by name or by "*", and not by a policy without actions', (text) => {
    expect(outcome([rule('a')], text)).toBe('deny')
    expect(
      outcome(
        [rule('a', { actions: ['select', 'insert', 'call:*', 'copy.in', 'copy.out'] })],
        text,
      ),
    ).toBe('deny')
    expect(outcome([rule('a', { actions: ['*'] })], text)).toBe('allow')
    expect(outcome([rule('a', { effect: 'hold', hold })], text)).toBe('deny')
  })

  it('are denied and held by rules that do not name them, as far as nobody can tell what they touch', () => {
    const all = rule('all', { actions: ['*'] })
    const built = `do $$ begin execute 'drop table ' || current_date; end $$`
    const no = rule('no', { effect: 'deny', objects: ['public.x'], columns: ['y'] })
    expect(outcome([all, no], built)).toBe('deny')
    expect(outcome([all, no], `copy (select 1) to program 'cat'`)).toBe('deny')
    expect(outcome([all, no], 'do $$ begin null; end $$')).toBe('allow')
    expect(outcome([all, no], 'set role x')).toBe('allow')
    expect(outcome([all, rule('held', { effect: 'hold', hold })], built)).toBe('hold')
  })

  it('are not what a rule means that names other actions', () => {
    const rules = [
      rule('all', { actions: ['*'] }),
      rule('no', { effect: 'deny', actions: ['delete'], objects: ['public.x'] }),
    ]
    expect(outcome(rules, `copy (select 1) to program 'cat'`)).toBe('allow')
  })

  it('of a function are allowed by naming the function', () => {
    const command = effectCommand(
      effectOn('select', 'public.orders'),
      effectOn('call:refund', 'shop.refund'),
      effectOn('unknown', 'shop.refund'),
    )
    const allowedBy = (...actions: string[]) =>
      decideAll([rule('a', { actions: ['select', ...actions] })], command).outcome
    expect(allowedBy()).toBe('deny')
    expect(allowedBy('call:other')).toBe('deny')
    expect(allowedBy('call:other.refund')).toBe('deny')
    expect(allowedBy('call:refund')).toBe('allow')
    expect(allowedBy('call:shop.refund')).toBe('allow')
    expect(allowedBy('call:*')).toBe('allow')
    expect(decideAll([rule('a')], command).outcome).toBe('deny')
  })

  it('are not the calls of harmless builtins, which need no rule and may be denied all the same', () => {
    const reader = rule('a', { actions: ['select'] })
    expect(outcome([reader], 'select upper(name), now() from people')).toBe('allow')
    const no = rule('no', { effect: 'deny', actions: ['call:pg_sleep', 'call:pg_advisory_*'] })
    expect(outcome([reader], 'select pg_sleep(1)')).toBe('allow')
    expect(outcome([reader, no], 'select pg_sleep(1)')).toBe('deny')
    expect(outcome([reader, no], 'select pg_catalog.pg_advisory_lock(1)')).toBe('deny')
    expect(outcome([reader], 'select my_own(1)')).toBe('deny')
  })

  it('of a function are not allowed by naming another one that has been read', () => {
    const command = effectCommand(effectOn('call:refund', 'refund'), effectOn('unknown', 'other'))
    expect(decideAll([rule('a', { actions: ['call:*'] })], command).outcome).toBe('deny')
  })
})

describe('objects', () => {
  it.for([
    ['public.orders', 'select * from public.orders', 'allow'],
    ['public.orders', 'select * from orders', 'allow'],
    ['public.orders', 'select * from audit.orders', 'deny'],
    ['public.orders', 'select * from public.orders, public.people', 'deny'],
    ['orders', 'select * from audit.orders', 'allow'],
    ['*.audit_*', 'select * from x.audit_log', 'allow'],
    ['*', 'select * from whatever', 'allow'],
    ['public.*', 'select * from pg_authid', 'deny'],
    ['public.*', 'select * from pg_catalog.pg_authid', 'deny'],
    ['public.*', 'select 1', 'allow'],
    ['public.*', 'begin', 'allow'],
    ['public.*', `set work_mem = '4MB'`, 'allow'],
    ['public.*', 'drop schema audit cascade', 'deny'],
    ['public.*', 'drop role audit', 'deny'],
    ['public.*', 'drop table public.orders', 'allow'],
    ['public.*', 'vacuum', 'deny'],
    ['public."a.b"', 'select * from public."a.b"', 'allow'],
    ['public.a', 'select * from "public.a"', 'deny'],
  ] as const)('%s permits "%s": %s', ([object, text, expected]) => {
    expect(outcome([rule('a', { objects: [object] })], text)).toBe(expected)
  })

  it.for([
    ['audit.log', 'select * from audit.log', 'deny'],
    ['audit.log', 'select * from log', 'deny'],
    ['audit.log', 'select * from public.log', 'allow'],
    ['audit.*', 'select * from orders', 'allow'],
    ['audit.*', 'drop schema audit', 'deny'],
    ['audit.*', 'select 1', 'allow'],
    ['audit.*', 'begin', 'allow'],
    ['audit.*', 'vacuum', 'deny'],
    ['pg_catalog.*', 'select * from pg_authid', 'deny'],
  ] as const)('%s of a policy that denies is about "%s": %s', ([object, text, expected]) => {
    const rules = [
      rule('all', { actions: ['*'] }),
      rule('no', { effect: 'deny', objects: [object] }),
    ]
    expect(outcome(rules, text)).toBe(expected)
  })

  it('without a schema may be anything while the search path is not known', () => {
    const unknown = (rules: readonly PolicyRule[]) =>
      decideAll(rules, sqlCommand('select * from orders'), { path: null }).outcome
    const allow = rule('a', { objects: ['public.*'] })
    expect(unknown([allow])).toBe('deny')
    const rules = [rule('all'), rule('no', { effect: 'deny', objects: ['audit.*'] })]
    expect(unknown(rules)).toBe('deny')
  })

  it('are allowed only if every schema of the search path is', () => {
    const at = (...path: string[]) =>
      decideAll([rule('a', { objects: ['app_*.*'] })], sqlCommand('select * from t'), { path })
        .outcome
    expect(at('app_one', 'app_two')).toBe('allow')
    expect(at('app_one', 'public')).toBe('deny')
    expect(at()).toBe('deny')
  })

  it('of another kind are meant when every action of the policy is of that kind', () => {
    const rules = [rule('a', { actions: ['set'], objects: ['work_mem'] })]
    expect(outcome(rules, `set work_mem = '4MB'`)).toBe('allow')
    expect(outcome(rules, 'set search_path = x')).toBe('deny')
  })
})

describe('columns', () => {
  const read = (columns: readonly string[], object = 'public.people'): PolicyCommand =>
    effectCommand({ action: 'select', object, columns, via: '' })

  it('must all be permitted, by one policy or by several', () => {
    const rules = [
      rule('a', { objects: ['public.people'], columns: ['id', 'name'] }),
      rule('b', { objects: ['public.people'], columns: ['c*'] }),
    ]
    expect(decideAll(rules, read(['id', 'city']))).toMatchObject({
      outcome: 'allow',
      rules: ['a', 'b'],
    })
    expect(decideAll(rules, read(['id', 'ssn'])).outcome).toBe('deny')
    expect(decideAll(rules, read(['*'])).outcome).toBe('deny')
    expect(decideAll(rules, read(['id'], 'public.other')).outcome).toBe('deny')
  })

  it('are denied when one of them may be read', () => {
    const rules = [rule('a'), rule('no', { effect: 'deny', columns: ['ssn'] })]
    expect(decideAll(rules, read(['id'])).outcome).toBe('allow')
    expect(decideAll(rules, read(['id', 'ssn'])).outcome).toBe('deny')
    expect(decideAll(rules, read(['*'])).outcome).toBe('deny')
  })
})

describe('what happens through something else', () => {
  const through = (action: string, object: string, via: string): Effect => ({
    ...effectOn(action, object),
    via,
  })

  it('is permitted to whoever may use the view', () => {
    const rules = [rule('a', { actions: ['select'], objects: ['public.v*'] })]
    const outer = effectOn('select', 'public.v1')
    const chain = [
      through('select', 'private.t', 'public.v2'),
      through('select', 'other.v2', 'public.v1'),
      through('select', 'public.v2', 'public.v1'),
    ]
    expect(decideAll(rules, effectCommand(outer, ...chain)).outcome).toBe('allow')
    expect(decideAll(rules, effectCommand(...chain.slice(0, 1))).outcome).toBe('deny')
    const write = through('update', 'private.t', 'public.v1')
    expect(decideAll(rules, effectCommand(outer, write)).outcome).toBe('deny')
    const code = through('unknown', 'f', 'public.v1')
    expect(decideAll(rules, effectCommand(outer, code)).outcome).toBe('deny')
  })

  it('is denied by a policy about what is behind the view', () => {
    const rules = [rule('a'), rule('no', { effect: 'deny', objects: ['private.t'] })]
    const command = effectCommand(
      effectOn('select', 'public.v1'),
      through('select', 'private.t', 'public.v1'),
    )
    expect(decideAll(rules, command).outcome).toBe('deny')
  })

  it('is permitted to whoever may call the function by its exact name', () => {
    const command = effectCommand(
      effectOn('call:refund', 'public.refund'),
      through('update', 'private.t', 'public.refund'),
    )
    const allowedBy = (...actions: string[]) => decideAll([rule('a', { actions })], command).outcome
    expect(allowedBy('call:refund')).toBe('allow')
    expect(allowedBy('call:public.refund')).toBe('allow')
    expect(allowedBy('call:*')).toBe('deny')
    expect(allowedBy('call:*', 'update')).toBe('allow')
    const unread = effectCommand(
      effectOn('call:refund', 'public.refund'),
      through('unknown', 'other', 'public.refund'),
    )
    expect(decideAll([rule('a', { actions: ['call:refund'] })], unread).outcome).toBe('deny')
  })
})

describe('a command that is held', () => {
  it('has the terms of the policy that holds it', () => {
    const rules = [
      rule('all'),
      rule('held', { effect: 'hold', hold, actions: ['ddl.*'], reason: 'changes need a dba' }),
    ]
    expect(decideAll(rules, sqlCommand('alter table public.t add c int'))).toMatchObject({
      outcome: 'hold',
      rules: ['held'],
      reason: expect.stringContaining('changes need a dba') as string,
      hold: { ...hold, rules: ['held'] },
    })
    expect(decideAll(rules, sqlCommand('select 1')).hold).toBeNull()
  })

  it('needs another policy that allows it: to hold opens no door', () => {
    const held = rule('held', { effect: 'hold', hold, actions: ['ddl.*'] })
    expect(decideAll([held], sqlCommand('drop table t'))).toMatchObject({
      outcome: 'deny',
      rules: [builtin_rules.default_deny],
      hold: null,
    })
    const selects = rule('selects', { actions: ['select'] })
    expect(outcome([held, selects], 'drop table t')).toBe('deny')
    expect(outcome([held, rule('drops', { actions: ['ddl.drop'] })], 'drop table t')).toBe('hold')
  })

  it('by several policies needs people who are good enough for all of them', () => {
    const two = { groups: ['sec', 'dba'], quorum: 2, expires_s: 60 }
    const rules = [
      rule('all'),
      rule('one', { effect: 'hold', hold }),
      rule('two', { effect: 'hold', hold: two }),
    ]
    expect(decideAll(rules, sqlCommand('drop table t')).hold).toEqual({
      groups: ['dba'],
      quorum: 2,
      expires_s: 60,
      rules: ['one', 'two'],
    })
  })

  it('is denied when nobody could approve it', () => {
    const rules = [
      rule('all'),
      rule('one', { effect: 'hold', hold }),
      rule('two', { effect: 'hold', hold: { ...hold, groups: ['sec'] } }),
    ]
    expect(decideAll(rules, sqlCommand('drop table t'))).toMatchObject({
      outcome: 'deny',
      rules: [builtin_rules.nobody_approves, 'one', 'two'],
      hold: null,
    })
  })
})

describe('a dry run', () => {
  const all = rule('all', { actions: ['*'] })

  it('of one policy records what it would have done and does not do it', () => {
    const trial = rule('trial', { effect: 'deny', actions: ['delete'], dry_run: true })
    expect(decideAll([all, trial], sqlCommand('delete from t'))).toMatchObject({
      outcome: 'deny',
      rules: ['trial'],
      dry_run: true,
    })
    expect(decideAll([all, trial], sqlCommand('select 1'))).toMatchObject({
      outcome: 'allow',
      rules: ['all'],
      dry_run: false,
    })
  })

  it('of one policy allows nothing, and stands behind what is enforced', () => {
    const trial = rule('trial', { actions: ['*'], dry_run: true })
    expect(decideAll([trial], sqlCommand('select 1'))).toMatchObject({
      outcome: 'deny',
      dry_run: false,
    })
    const held = rule('held', { effect: 'hold', hold })
    const denied = rule('denied', { effect: 'deny', dry_run: true })
    expect(decideAll([all, held, denied], sqlCommand('select 1'))).toMatchObject({
      outcome: 'hold',
      rules: ['held'],
      dry_run: false,
    })
  })

  it('of the whole policy enforces nothing and holds nothing', () => {
    expect(decideAll([], sqlCommand('drop table t'), { dry_run: true })).toMatchObject({
      outcome: 'deny',
      dry_run: true,
    })
    expect(
      decideAll([all, rule('held', { effect: 'hold', hold })], sqlCommand('drop table t'), {
        dry_run: true,
      }),
    ).toMatchObject({ outcome: 'hold', dry_run: true, hold: null })
  })
})
