import { generateKeyPairSync, sign, verify } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decide,
  evolve,
  openApproval,
  type Approval,
  type ApprovalDecision,
  type ApprovalRequest,
} from '#core/approval/approval.ts'
import { approverNames } from '#core/approval/approver-names.ts'
import { decisionBytes } from '#core/approval/signature.ts'

const id = Buffer.alloc(32, 1)
const command_hash = Buffer.alloc(32, 2)
const minute_us = 60_000_000

const request = (more: Partial<ApprovalRequest> = {}): ApprovalRequest => ({
  approval: id,
  session: Buffer.alloc(32, 3),
  requested: 0,
  requester: {
    actor: {
      kind: 'workload',
      issuer: 'https://ci.example',
      subject: 'repo:acme/shop',
      display_name: 'acme/shop',
      groups: [],
      credential_fingerprint: '',
      token_id: '',
    },
    pipeline: {
      provider: 'github',
      repository: 'acme/shop',
      ref: '',
      sha: '',
      workflow: '',
      run: '1',
      run_attempt: '1',
      job: '',
      environment: '',
      triggering_user: 'Ana-L',
      runner: '',
      approval_ticket: '',
    },
    target: null,
  },
  command: 4,
  command_hash,
  text: 'alter table t add c int',
  reason: '',
  approver_groups: ['dba'],
  quorum: 1,
  expires: minute_us,
  estimated_rows: -1,
  rules: [],
  link: '',
  ...more,
})

const decision = (more: Partial<ApprovalDecision> = {}): ApprovalDecision => ({
  approval: id,
  command_hash,
  decision: 'approve',
  reason: '',
  approver_issuer: 'https://login.example',
  approver_subject: 'u-7',
  approver_groups: ['dba', 'staff'],
  approver_names: ['grace', 'grace@acme.example'],
  channel: 'api',
  ...more,
})

/** What a decision does, and the approval after it. */
const after = (approval: Approval, one: ApprovalDecision, now_us = 1): Approval =>
  decide(approval, one, now_us).kind === 'rejected'
    ? approval
    : evolve(approval, { type: 'decided', decision: one })

const rejection = (approval: Approval, one: ApprovalDecision, now_us = 1): string => {
  const verdict = decide(approval, one, now_us)
  return verdict.kind === 'rejected' ? verdict.reason : verdict.kind
}

describe('one decision', () => {
  const waiting = openApproval(request())

  it('of an entitled person lets it run', () => {
    expect(decide(waiting, decision(), 1)).toEqual({ kind: 'approved' })
    expect(after(waiting, decision()).state).toBe('approved')
  })

  it('to deny ends it, and says who and why', () => {
    const denied = after(waiting, decision({ decision: 'deny', reason: 'no' }))
    expect(denied).toMatchObject({ state: 'denied', denial: 'no' })
    expect(denied.denied_by?.approver_subject).toBe('u-7')
    expect(rejection(denied, decision({ approver_subject: 'u-8', approver_names: [] }))).toBe(
      'already_decided',
    )
  })

  const cases: readonly [string, Partial<ApprovalDecision>, string][] = [
    ['about another approval', { approval: Buffer.alloc(32) }, 'unknown_approval'],
    ['about another command', { command_hash: Buffer.alloc(32) }, 'wrong_command'],
    ['of nobody in the groups', { approver_groups: ['staff'] }, 'not_entitled'],
    ['of nobody in any group', { approver_groups: [] }, 'not_entitled'],
    [
      'of who asked',
      { approver_issuer: 'https://ci.example', approver_subject: 'repo:acme/shop' },
      'requester',
    ],
    ['of who asked, at another issuer', { approver_names: ['Repo:Acme/Shop'] }, 'requester'],
    ['of who started the run, by user name', { approver_names: ['ana-l'] }, 'same_run'],
    ['of who started the run, by address', { approver_names: ['Ana-L@acme.example'] }, 'same_run'],
    ['of who started the run, by subject', { approver_subject: 'ana-l' }, 'same_run'],
  ]
  it.each(cases)('%s changes nothing', (_what, more, reason) => {
    expect(rejection(waiting, decision(more))).toBe(reason)
    expect(rejection(waiting, decision({ ...more, decision: 'deny' }))).toBe(reason)
  })

  it('counts until the time is over, not at it', () => {
    expect(rejection(waiting, decision(), minute_us - 1)).toBe('approved')
    expect(rejection(waiting, decision(), minute_us)).toBe('expired')
  })

  it('comes too late when it has expired, been consumed, or has all that it needs', () => {
    expect(rejection(evolve(waiting, { type: 'expired' }), decision())).toBe('expired')
    expect(rejection(evolve(waiting, { type: 'consumed' }), decision())).toBe('already_decided')
    expect(rejection(after(waiting, decision()), decision({ approver_subject: 'u-9' }))).toBe(
      'already_decided',
    )
  })

  it('is anybody’s where the policy names no groups', () => {
    const open = openApproval(request({ approver_groups: [] }))
    expect(rejection(open, decision({ approver_groups: [] }))).toBe('approved')
  })
})

describe('a quorum', () => {
  const waiting = openApproval(request({ quorum: 2 }))
  const first = decision()
  const second = decision({ approver_subject: 'u-8', approver_names: ['ada@acme.example'] })

  it('is of distinct persons', () => {
    const one = after(waiting, first)
    expect(one.state).toBe('waiting')
    expect(rejection(one, first)).toBe('duplicate_approver')
    expect(decide(one, second, 1)).toEqual({ kind: 'approved' })
    expect(after(one, second).approved_by.map(({ approver_subject }) => approver_subject)).toEqual([
      'u-7',
      'u-8',
    ])
  })

  it('is not one person at two issuers', () => {
    const again = decision({
      approver_issuer: 'https://other.example',
      approver_subject: '42',
      approver_names: ['GRACE@acme.example'],
    })
    expect(rejection(after(waiting, first), again)).toBe('duplicate_approver')
  })

  it('ends when one of them, or who has approved, denies', () => {
    expect(after(after(waiting, first), decision({ decision: 'deny' })).state).toBe('denied')
    expect(after(after(waiting, first), { ...second, decision: 'deny' }).state).toBe('denied')
  })
})

describe('whatever happens, in whatever order', () => {
  const someone = fc.constantFrom('u-1', 'u-2', 'u-3')
  const happening = fc.oneof(
    fc.record({
      subject: someone,
      decision: fc.constantFrom('approve' as const, 'deny' as const),
      groups: fc.constantFrom(['dba'], ['staff']),
      hash: fc.constantFrom(command_hash, Buffer.alloc(32)),
    }),
    fc.constantFrom('expired' as const, 'consumed' as const),
  )

  it('nothing leaves an end, and enough means as many different persons as the quorum', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(happening), (quorum, all) => {
        let approval = openApproval(request({ quorum }))
        for (const one of all) {
          const before = approval
          approval =
            typeof one === 'string'
              ? evolve(approval, { type: one })
              : after(
                  approval,
                  decision({
                    approver_subject: one.subject,
                    approver_names: [],
                    approver_groups: one.groups,
                    decision: one.decision,
                    command_hash: one.hash,
                  }),
                )
          if (['denied', 'expired', 'consumed'].includes(before.state))
            expect(approval).toBe(before)
          const persons = new Set(approval.approved_by.map((by) => by.approver_subject))
          expect(persons.size).toBe(approval.approved_by.length)
          if (approval.state === 'approved') expect(persons.size).toBe(quorum)
          for (const by of approval.approved_by) expect(by.approver_groups).toEqual(['dba'])
        }
      }),
    )
  })
})

describe('the signed bytes', () => {
  const keys = generateKeyPairSync('ed25519')
  const signed = (one: ApprovalDecision, deployment = 'test') =>
    sign(null, decisionBytes(deployment, one), keys.privateKey)

  it('verify for the very same decision in the same deployment only', () => {
    const signature = signed(decision())
    const good = (one: ApprovalDecision, deployment = 'test') =>
      verify(null, decisionBytes(deployment, one), keys.publicKey, signature)
    expect(good(decision())).toBe(true)
    expect(good(decision(), 'other')).toBe(false)
    const others: readonly Partial<ApprovalDecision>[] = [
      { approval: Buffer.alloc(32, 9) },
      { command_hash: Buffer.alloc(32, 9) },
      { decision: 'deny' },
      { reason: 'x' },
      { approver_issuer: 'https://login.example/' },
      { approver_subject: 'u-8' },
      { approver_groups: ['dba'] },
      { approver_names: [] },
      { channel: 'cli' },
    ]
    for (const more of others) expect(good(decision(more))).toBe(false)
  })

  it('of two decisions are never the same, wherever a list or a text ends', () => {
    const texts = fc.array(fc.string({ maxLength: 3 }), { maxLength: 3 })
    const some = fc
      .record({
        reason: fc.string({ maxLength: 3 }),
        approver_subject: fc.string({ maxLength: 3 }),
        approver_groups: texts,
        approver_names: texts,
      })
      .map((more) => decision(more))
    fc.assert(
      fc.property(some, some, (a, b) => {
        const same = decisionBytes('test', a).equals(decisionBytes('test', b))
        expect(same).toBe(JSON.stringify(a) === JSON.stringify(b))
      }),
    )
  })
})

describe('the names of an approver', () => {
  it('are what belongs to one person only', () => {
    expect(
      approverNames({
        sub: 'u-7',
        name: 'Grace Hopper',
        preferred_username: 'grace',
        email: 'grace@acme.example',
        nickname: 'grace',
        groups: ['dba'],
      }),
    ).toEqual(['grace', 'grace@acme.example'])
  })

  it('leave out an address that is not verified', () => {
    expect(approverNames({ email: 'ana@acme.example', email_verified: false })).toEqual([])
    expect(approverNames({ email: 'ana@acme.example', email_verified: true })).toHaveLength(1)
  })
})
