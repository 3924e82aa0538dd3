import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createTokenIndex,
  token_lifetime_max_s,
  type Claim,
  type Revocation,
  type TokenIndex,
  type Verdict,
} from '#core/identity/token-index.ts'

const now_ms = 1_800_000_000_000
const hour_ms = 3_600_000

const claimOf = (token: string, claim: string, more: Partial<Claim> = {}): Claim => ({
  token,
  claim,
  run: '',
  uses: 1,
  expires_ms: now_ms + hour_ms,
  ...more,
})

const revocation = (of: Partial<Revocation>): Omit<Revocation, 'reason'> => ({
  kind: 'token',
  token: '',
  run: '',
  session: '',
  ...of,
})

const claimed = (index: TokenIndex, claims: readonly Claim[], at_ms = now_ms): readonly Verdict[] =>
  claims.map((claim) => index.claimed(claim, at_ms))

describe('the index of tokens', () => {
  it('gives a token’s uses to its first claims', () => {
    const index = createTokenIndex()
    const claims = ['a', 'b', 'c'].map((claim) => claimOf('t', claim, { uses: 2 }))
    expect(claimed(index, claims)).toEqual(['won', 'won', 'replayed'])
    expect(claimed(index, [claimOf('other', 'd')])).toEqual(['won'])
    expect(index.tokens).toBe(2)
  })

  it('says the same of a claim that the log holds twice, and counts it once', () => {
    const index = createTokenIndex()
    const [a, b, c] = ['a', 'b', 'c'].map((claim) => claimOf('t', claim, { uses: 2 }))
    expect(claimed(index, [a!, a!, b!, c!, a!, c!])).toEqual([
      'won',
      'won',
      'won',
      'replayed',
      'won',
      'replayed',
    ])
  })

  it('refuses what stands behind the end of the token or of its run, and nothing before', () => {
    const index = createTokenIndex()
    expect(claimed(index, [claimOf('t1', 'a', { run: 'r', uses: 5 })])).toEqual(['won'])
    index.revoked(revocation({ kind: 'run', run: 'r' }), now_ms, now_ms)
    index.revoked(revocation({ kind: 'token', token: 't3' }), now_ms, now_ms)
    expect(
      claimed(index, [
        claimOf('t1', 'b', { run: 'r', uses: 5 }),
        claimOf('t2', 'c', { run: 'r' }),
        claimOf('t3', 'd'),
        claimOf('t4', 'e', { run: 'r2' }),
        claimOf('r', 'f'),
      ]),
    ).toEqual(['revoked', 'revoked', 'revoked', 'won', 'won'])
  })

  it('does not take the end of a session, or of no run at all, for the end of a token', () => {
    const index = createTokenIndex()
    index.revoked(revocation({ kind: 'session', session: 's' }), now_ms, now_ms)
    index.revoked(revocation({ kind: 'run', run: '' }), now_ms, now_ms)
    expect(claimed(index, [claimOf('t', 'a')])).toEqual(['won'])
  })

  it('keeps a token for as long as it, or a clock that is wrong, can live, then forgets it', () => {
    const index = createTokenIndex()
    const claim = claimOf('t', 'a')
    index.claimed(claim, now_ms)
    index.sweep(now_ms + hour_ms + 500_000)
    expect(index.claimed(claimOf('t', 'b'), now_ms + hour_ms + 500_000)).toBe('replayed')
    index.sweep(now_ms + hour_ms + 700_000)
    expect(index.tokens).toBe(0)
    expect(index.claimed(claimOf('t', 'b'), now_ms + hour_ms + 700_000)).toBe('expired')
    index.revoked(revocation({ kind: 'run', run: 'r' }), now_ms, now_ms)
    const later_ms = now_ms + token_lifetime_max_s * 1000
    index.sweep(later_ms)
    expect(index.standing(claimOf('u', 'c', { run: 'r', expires_ms: later_ms }), later_ms)).toBe(
      'revoked',
    )
    index.sweep(later_ms + 700_000)
    expect(index.revocations).toBe(0)
  })

  it('keeps what was ended again until the later end of it', () => {
    const index = createTokenIndex()
    const later_ms = now_ms + 12 * hour_ms
    index.revoked(revocation({ kind: 'run', run: 'r' }), now_ms, now_ms)
    index.revoked(revocation({ kind: 'run', run: 'r' }), later_ms, later_ms)
    const between_ms = now_ms + token_lifetime_max_s * 1000 + hour_ms
    index.sweep(between_ms)
    expect(index.revocations).toBe(1)
    index.sweep(between_ms + 12 * hour_ms)
    expect(index.revocations).toBe(0)
  })

  it('refuses tokens that it does not know while it has had to leave some out, and knows the others', () => {
    const index = createTokenIndex({ tokens_max: 2, revocations_max: 1 })
    expect(
      claimed(index, [claimOf('a', '1', { uses: 2 }), claimOf('b', '2'), claimOf('c', '3')]),
    ).toEqual(['won', 'won', 'full'])
    expect(claimed(index, [claimOf('a', '4', { uses: 2 }), claimOf('b', '5')])).toEqual([
      'won',
      'replayed',
    ])
    const later_ms = now_ms + hour_ms + 700_000
    index.sweep(later_ms)
    const fresh = { expires_ms: later_ms + hour_ms }
    expect(claimed(index, [claimOf('d', '6', fresh)], later_ms)).toEqual(['won'])
    for (const run of ['r1', 'r2'])
      index.revoked(revocation({ kind: 'run', run }), later_ms, later_ms)
    expect(claimed(index, [claimOf('e', '7', fresh), claimOf('d', '8', fresh)], later_ms)).toEqual([
      'full',
      'full',
    ])
  })

  it('never gives more than a token has, whatever comes in whatever order, and two of them agree', () => {
    const token = fc.constantFrom('t1', 't2', 't3')
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ token, claim: fc.nat(40), uses: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ token, kind: fc.constantFrom('token', 'run') }) },
    )
    const uses = { t1: 1, t2: 2, t3: 5 } as const
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const indexes = [createTokenIndex(), createTokenIndex()]
        const won = new Map<string, Set<string>>()
        const dead = new Set<string>()
        for (const each of steps) {
          const run = `run of ${each.token}`
          if ('kind' in each) {
            const of = revocation({ kind: each.kind, token: each.token, run })
            for (const index of indexes) index.revoked(of, now_ms, now_ms)
            dead.add(each.token)
            continue
          }
          const { token: name, claim } = each
          const id = `${name} ${claim}`
          const folded = claimOf(name, id, { run, uses: uses[name] })
          const verdicts = indexes.map((index) => index.claimed(folded, now_ms))
          expect(new Set(verdicts).size).toBe(1)
          const before = won.get(name) ?? new Set()
          if (verdicts[0] === 'won') {
            if (!before.has(id)) expect(dead.has(name)).toBe(false)
            won.set(name, before.add(id))
          } else expect(dead.has(name) || before.size === folded.uses).toBe(true)
          expect(won.get(name)?.size ?? 0).toBeLessThanOrEqual(folded.uses)
        }
      }),
    )
  })
})
