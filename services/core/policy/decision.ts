export type Outcome = 'allow' | 'deny' | 'hold' | 'mask'

/** What the policy says, as decision.made records it. */
export type Decision = {
  readonly outcome: Outcome
  /** The policies that said so, or a `builtin:` one; never empty. */
  readonly rules: readonly string[]
  /** In words, for people and for the refusal. */
  readonly reason: string
  /** SHA-256 of the policy in force, hex. */
  readonly policy_digest: string
  /** 0 to 100. */
  readonly risk: number
  /** Recorded only, not enforced. */
  readonly dry_run: boolean
}

/** Who must say yes to a held command, and until when. */
export type HoldTerms = {
  /** Groups whose members may decide; never empty. */
  readonly groups: readonly string[]
  /** How many persons must approve, 1 or more, all of them different ones. */
  readonly quorum: number
  /** How long it waits for them, seconds. */
  readonly expires_s: number
  /** The policies that hold it. */
  readonly rules: readonly string[]
}

/** What the policy says about one command. */
export type CommandDecision = Decision & {
  /** Set when the command is to be held: the outcome is hold, and it is enforced. */
  readonly hold: HoldTerms | null
}

/** Rules that are not in any file. Their names cannot be taken: a colon is not allowed in a policy's name. */
export const builtin_rules = {
  /** Nothing allows it. */
  default_deny: 'builtin:default-deny',
  /** What cannot be parsed is not forwarded. */
  unparsed: 'builtin:unparsed',
  /** It does too much at once to be looked at. */
  too_much: 'builtin:too-much',
  /** The rules that hold a command name no group in common: nobody could approve it. */
  nobody_approves: 'builtin:nobody-approves',
} as const
