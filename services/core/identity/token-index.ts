/**
 * What the topic of tokens says, folded: which tokens have been used how often, and what was revoked. Whoever folds the same records in
 * the same order comes to the same answers, so the order of the log decides between gateways.
 *
 *     claim of a token:   won       while fewer claims of this token stand before it than it has uses
 *                         replayed  otherwise
 *                         revoked   if the token or its run was revoked before it
 *
 * Everything is kept for as long as a token it is about can live, then forgotten. Where more would have to be kept than the limits allow, claims
 * are refused (`full`) rather than answered from a memory with holes.
 */

/** Tokens that are remembered; about 300 bytes each. */
export const tokens_max = 500_000
/** Revocations that are remembered. */
export const revocations_max = 200_000
/** Longest life of a token, seconds, from its issue to its end: claims and revocations are kept for so long. */
export const token_lifetime_max_s = 86_400
/** Kept beyond the end of a token, milliseconds: clocks may differ, and issuers' clock skew is allowed up to 300 s. */
const kept_ms = 600_000
/** Tokens that end in the same so many milliseconds are forgotten together. */
const sweep_ms = 60_000

export type Claim = {
  /** SHA-256 of issuer and token id, hex. */
  readonly token: string
  /** Id of the claim. */
  readonly claim: string
  /** Run behind the token (run.ts); empty without one. */
  readonly run: string
  /** Sessions that the token may open in all. */
  readonly uses: number
  readonly expires_ms: number
}

export type Revocation = {
  readonly kind: 'token' | 'run' | 'session'
  readonly token: string
  readonly run: string
  /** Session id, hex. */
  readonly session: string
  readonly reason: string
}

export type Verdict = 'won' | 'replayed' | 'revoked' | 'expired' | 'full'

/** What would be said to a claim that came now. */
export type Standing = 'free' | Exclude<Verdict, 'won'>

export interface TokenIndex {
  /** Folds a claim. One that is folded again (the log may hold it twice) is told the same. */
  claimed(claim: Claim, now_ms: number): Verdict
  /** Folds a revocation of `since_ms`. */
  revoked(revocation: Omit<Revocation, 'reason'>, since_ms: number, now_ms: number): void
  /** What a claim would be told. */
  standing(claim: Omit<Claim, 'claim'>, now_ms: number): Standing
  /** Forgets what nobody can ask for any more. */
  sweep(now_ms: number): void
  readonly tokens: number
  readonly revocations: number
}

/** Names that are kept until a time, at most so many. What does not fit is remembered as a hole, until then. */
const openKept = (entries_max: number) => {
  const until = new Map<string, number>()
  const buckets = new Map<number, string[]>()
  let hole_until_ms = 0
  const bucketOf = (ms: number): number => Math.ceil(ms / sweep_ms)
  return {
    has: (name: string): boolean => until.has(name),
    /** @returns false if there is no room */
    keep: (name: string, until_ms: number): boolean => {
      const known = until.get(name)
      if (known !== undefined && known >= until_ms) return true
      if (known === undefined && until.size >= entries_max) {
        hole_until_ms = Math.max(hole_until_ms, until_ms)
        return false
      }
      until.set(name, until_ms)
      const at = bucketOf(until_ms)
      const bucket = buckets.get(at)
      if (bucket === undefined) buckets.set(at, [name])
      else bucket.push(name)
      return true
    },
    sweep: (now_ms: number, forget: (name: string) => void): void => {
      for (const [at, names] of buckets) {
        if (at * sweep_ms > now_ms) continue
        buckets.delete(at)
        for (const name of names) {
          // Kept for longer since: it stands in a later bucket, too.
          if (bucketOf(until.get(name) ?? 0) > at) continue
          until.delete(name)
          forget(name)
        }
      }
    },
    whole: (now_ms: number): boolean => now_ms > hole_until_ms,
    get size() {
      return until.size
    },
  }
}

export const createTokenIndex = (
  limits: { readonly tokens_max: number; readonly revocations_max: number } = {
    tokens_max,
    revocations_max,
  },
): TokenIndex => {
  const tokens = openKept(limits.tokens_max)
  const dead = openKept(limits.revocations_max)
  /** Claims that won, by token. */
  const winners = new Map<string, Set<string>>()

  const standing: TokenIndex['standing'] = ({ token, run, uses, expires_ms }, now_ms) => {
    if (expires_ms + kept_ms <= now_ms) return 'expired'
    if (dead.has(`token ${token}`) || (run !== '' && dead.has(`run ${run}`))) return 'revoked'
    if (!dead.whole(now_ms)) return 'full'
    const won = winners.get(token)
    if (won !== undefined) return won.size < uses ? 'free' : 'replayed'
    return tokens.whole(now_ms) ? 'free' : 'full'
  }

  return {
    standing,
    claimed: (claim, now_ms) => {
      const { token, expires_ms } = claim
      if (winners.get(token)?.has(claim.claim) === true) return 'won'
      const found = standing(claim, now_ms)
      if (found !== 'free') return found
      if (!tokens.keep(token, expires_ms + kept_ms)) return 'full'
      const won = winners.get(token)
      if (won === undefined) winners.set(token, new Set([claim.claim]))
      else won.add(claim.claim)
      return 'won'
    },
    revoked: ({ kind, token, run }, since_ms, now_ms) => {
      const until_ms = since_ms + token_lifetime_max_s * 1000 + kept_ms
      if (kind === 'session' || until_ms <= now_ms) return
      dead.keep(kind === 'token' ? `token ${token}` : `run ${run}`, until_ms)
    },
    sweep: (now_ms) => {
      tokens.sweep(now_ms, (token) => winners.delete(token))
      dead.sweep(now_ms, () => undefined)
    },
    get tokens() {
      return tokens.size
    },
    get revocations() {
      return dead.size
    },
  }
}
