import { describe, expect, it } from 'vitest'
import type { Effect, SqlAnalysed } from '#core/sql/analysis.ts'
import { effectOn } from '#core/sql/analysis.ts'
import { nothing_shifted } from '#core/sql/naming.ts'
import type { PolicyCommand } from '#core/policy/command-evaluation.ts'
import { openPolicySession } from '#core/policy/policy-session.ts'
import { compilePolicies } from '#core/policy/policy-set.ts'
import { now_ms, policyRule as rule, sessionRequest } from './policies.ts'

const analysis: SqlAnalysed = {
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

const commandOf = (
  effects: readonly Effect[],
  more: {
    readonly text?: string
    readonly parameters?: PolicyCommand['parameters']
    readonly text_bytes?: number
  } = {},
): PolicyCommand => {
  const { text = 'x', parameters = [] } = more
  return {
    kind: 'query',
    statement: {
      text,
      text_bytes: more.text_bytes ?? text.length,
      secrets: [],
      masked: [],
      verb: 'x',
      statements: [{ verb: 'x', effects }],
      analysis,
    },
    parameters,
  }
}

describe('the decisions of a session', () => {
  it('are kept with the effects they are about', () => {
    const set = compilePolicies([rule('a')], 'one')
    const session = openPolicySession(sessionRequest)
    const effects = [effectOn('select', 'public.t')]
    const first = session.command(set, commandOf(effects), null, now_ms)
    expect(session.command(set, commandOf(effects, { text: 'y' }), null, now_ms)).toBe(first)
    expect(session.command(set, commandOf([...effects]), null, now_ms)).not.toBe(first)
  })

  it('are made anew by a policy that came later', () => {
    const session = openPolicySession(sessionRequest)
    const command = commandOf([effectOn('select', 'public.t')])
    expect(
      session.command(compilePolicies([rule('a')], 'one'), command, null, now_ms),
    ).toMatchObject({
      outcome: 'allow',
      policy_digest: 'one',
    })
    const later = compilePolicies([rule('no', { effect: 'deny' })], 'two')
    expect(session.command(later, command, null, now_ms)).toMatchObject({
      outcome: 'deny',
      rules: ['no'],
      policy_digest: 'two',
    })
  })

  it('are made anew when the search path is another one', () => {
    const set = compilePolicies([rule('a', { objects: ['public.t'] })], 'one')
    const session = openPolicySession(sessionRequest)
    const effects = [effectOn('select', 't')]
    const at = (path: readonly string[] | null) =>
      session.command(set, commandOf(effects), path, now_ms).outcome
    expect([at(['public']), at(['audit']), at(null), at(['public'])]).toEqual([
      'allow',
      'deny',
      'deny',
      'allow',
    ])
  })

  it('are not kept when a condition asks for the text or the time', () => {
    const effects = [effectOn('select', 't')]
    const text = compilePolicies([rule('a', { when: 'command.text == "x"' })], 'one')
    const session = openPolicySession(sessionRequest)
    expect(session.command(text, commandOf(effects), null, now_ms).outcome).toBe('allow')
    expect(session.command(text, commandOf(effects, { text: 'y' }), null, now_ms).outcome).toBe(
      'deny',
    )
    const hours = compilePolicies([rule('a', { when: 'now.getHours() < 18' })], 'two')
    expect(session.command(hours, commandOf(effects), null, now_ms).outcome).toBe('allow')
    const evening_ms = now_ms + 9 * 3_600_000
    expect(session.command(hours, commandOf(effects), null, evening_ms).outcome).toBe('deny')
  })

  it('treat what a condition cannot see as the worst: no allow, but deny and hold', () => {
    const effects = [effectOn('select', 't')]
    const when = '!command.text.contains("secret") && command.parameters.all(p, p != "secret")'
    const outcome = (effect: 'allow' | 'deny', command: PolicyCommand) =>
      openPolicySession(sessionRequest).command(
        compilePolicies([rule('all'), rule('when', { effect, when })], 'one'),
        command,
        null,
        now_ms,
      )
    const cut = commandOf(effects, { text: 'x', text_bytes: 2_000_000 })
    const hidden = commandOf(effects, {
      parameters: [{ format: 'text', value: null, masked: true, value_bytes: 6 }],
    })
    const shortened = commandOf(effects, {
      parameters: [{ format: 'text', value: 'x', masked: false, value_bytes: 4000 }],
    })
    const plain = commandOf(effects)
    const replaced = (part: 'secrets' | 'masked'): PolicyCommand => ({
      ...plain,
      statement: { ...plain.statement, [part]: ['x'] },
    })
    for (const command of [cut, hidden, shortened, replaced('secrets'), replaced('masked')]) {
      expect(outcome('deny', command)).toMatchObject({ outcome: 'deny', rules: ['when'] })
      expect(outcome('allow', command)).toMatchObject({ outcome: 'allow', rules: ['all'] })
    }
  })
})
