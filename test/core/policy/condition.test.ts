import { describe, expect, it } from 'vitest'
import {
  compileCondition,
  condition_effects_max,
  sessionVariables,
  type ConditionCommand,
} from '#core/policy/condition.ts'
import { effectOn } from '#core/sql/analysis.ts'
import { now_ms, sessionRequest } from './policies.ts'

const command: ConditionCommand = {
  kind: 'query',
  verb: 'update',
  effects: [
    { action: 'update', object: 'public.people', columns: ['email'], via: '' },
    effectOn('select', 'public.people'),
  ],
  risk: 20,
  text: `update people set email = 'a@example.org'`,
  parameters: ['17', null],
}

const session = sessionVariables({
  ...sessionRequest,
  claims: { repository: 'acme/shop', run_attempt: 2, teams: ['a', 'b'], nested: { level: 1.5 } },
})

const answer = (source: string, of: ConditionCommand | null = command): boolean | 'error' => {
  const compiled = compileCondition(source)
  if (!compiled.ok) throw new Error(compiled.error)
  return compiled.condition.holds({ session, command: of, now_ms })
}

describe('a condition', () => {
  it.for([
    ['actor.kind == "workload" && "dba" in actor.groups', true],
    ['pipeline.environment == "production" && pipeline.triggering_user != "ada"', false],
    ['claims.run_attempt == 2 && claims["run_attempt"] < 3', true],
    ['"b" in claims.teams && claims.nested.level > 1.0', true],
    ['has(claims.environment) && claims.environment == "x"', false],
    ['issuer == "github" && target == "orders" && role == "migrator" && database == "shop"', true],
    ['peer.address.startsWith("10.") && peer.client_software == "psql"', true],
    ['command.verb == "update" && command.kind == "query" && command.risk >= 20', true],
    ['command.effects.exists(e, e.action == "update" && "email" in e.columns)', true],
    ['command.effects.all(e, e.object.matches("^public[.]p(eople|ets)$"))', true],
    ['command.text.contains("example.com")', false],
    ['command.parameters[0] == "17" && command.parameters[1] == null', true],
    ['now.getDayOfWeek() == 1 && now.getHours("Europe/Berlin") == 11', true],
  ] as const)('%s is %s', ([source, expected]) => {
    expect(answer(source)).toBe(expected)
  })

  it.for([
    ['a claim that is absent', 'claims.environment == "x"'],
    ['a claim of the prototype', 'claims.constructor == "x"'],
    ['a claim of another type', 'claims.run_attempt.startsWith("2")'],
    ['a parameter that is not there', 'command.parameters[2] == "x"'],
    ['a parameter that is NULL', 'command.parameters[1].contains("x")'],
    ['a division by zero', 'command.risk / 0 == 1'],
  ] as const)('is in error about %s', ([, source]) => {
    expect(answer(source)).toBe('error')
  })

  it('is in error about a text or values that were cut or hidden', () => {
    const { text: _, parameters: __, ...rest } = command
    expect(answer('command.text == ""', rest)).toBe('error')
    expect(answer('command.parameters.size() == 0', rest)).toBe('error')
    expect(answer('command.verb == "update"', rest)).toBe(true)
  })

  it(`is in error about more than ${condition_effects_max} effects`, () => {
    const effects = Array.from({ length: condition_effects_max + 1 }, () => effectOn('select'))
    expect(answer('true', { ...command, effects })).toBe('error')
  })

  it.for([
    ['a syntax error', 'role ==', /Unexpected/],
    ['a name that does not exist', 'user == "x"', /Unknown variable: user/],
    ['a field that does not exist', 'actor.name == "x"', /No such key: name/],
    [
      'a field of an effect that does not exist',
      'command.effects.exists(e, e.verb == "x")',
      /verb/,
    ],
    ['types that do not fit', 'role == 3', /no such overload/],
    ['another type than bool', 'role', /this is string/],
    ['a function that makes long texts', '["a"].join("x") == ""', /no function "join"/],
    ['a function that makes long lists', 'role.split("").size() == 1', /no function "split"/],
    ['a binding', 'cel.bind(x, role, x == "a")', /no function "bind"/],
    [
      'loops within loops within loops',
      '[1].all(a, [1].all(b, [1].all(c, a == b + c)))',
      /deeper than 2/,
    ],
    ['a pattern that is no literal', 'role.matches(target)', /written out/],
    ['a pattern that is none', 'role.matches("(")', /RE2/],
    ['a pattern that RE2 does not know', String.raw`role.matches("(a)\\1")`, /RE2/],
    ['a comment that hides matches()', 'role // matches(\n .matches("a")', /no comment/],
    ['one that is too large', Array.from({ length: 400 }, () => 'true').join(' && '), /./],
  ] as const)('is refused for %s', ([, source, words]) => {
    const compiled = compileCondition(source)
    expect(compiled.ok).toBe(false)
    if (!compiled.ok) expect(compiled.error).toMatch(words)
  })

  it('is refused with the place of what is wrong', () => {
    const compiled = compileCondition('role == "a" && (target) .matches("b") && actor.nam == "x"')
    expect(compiled).toMatchObject({ ok: false, error: 'No such key: nam', offset: 47 })
  })

  it('matches in linear time', () => {
    const text = `${'a'.repeat(100_000)}b`
    expect(answer('command.text.matches("^(a+)+$")', { ...command, text })).toBe(false)
  })

  it.for([
    ['role == "a"', { uses_command: false, uses_peer: false, volatile: false }],
    ['peer.address == ""', { uses_command: false, uses_peer: true, volatile: false }],
    ['command.risk > 1', { uses_command: true, uses_peer: false, volatile: false }],
    [
      'command.effects.exists(e, e.action == "a")',
      { uses_command: true, uses_peer: false, volatile: false },
    ],
    ['command.text == ""', { uses_command: true, uses_peer: false, volatile: true }],
    ['command.kind == ""', { uses_command: true, uses_peer: false, volatile: true }],
    ['[command].size() == 1', { uses_command: true, uses_peer: false, volatile: true }],
    ['now.getHours() > 8', { uses_command: true, uses_peer: false, volatile: true }],
  ] as const)('%s tells what it asks for', ([source, expected]) => {
    expect(compileCondition(source)).toMatchObject({ ok: true, condition: expected })
  })
})
