import type { DecisionMade } from '#core/events/types.ts'
import { builtin_rules, type CommandDecision, type HoldTerms } from '#core/policy/decision.ts'
import type { SearchPath } from '#core/policy/object-pattern.ts'
import { refusalOf as unparsedRefusal } from '#core/sql/refusal.ts'
import type { SessionRecorder } from '../../recorder/port.ts'
import { newCommand, type Command } from './command.ts'
import { sqlstate, type NativeError } from './errors.ts'
import type { CommandMask } from './masking/command-mask.ts'
import { joinCounts, no_masks, type MaskedCounts } from './masking/mask-counts.ts'
import type { RecordedParameter } from './prepared.ts'
import type { StatementText } from './statement.ts'

/** A command as the decision point sees it. */
export type CommandFacts = {
  readonly kind: Command['kind']
  readonly statement: StatementText
  readonly parameters: readonly RecordedParameter[]
}

/** Decides about one command, at once. `path`: where its names are looked up now. */
export type DecideCommand = (command: CommandFacts, path: SearchPath) => CommandDecision

export type ReceivedCommand = CommandFacts & {
  /** Native message types that form it. */
  readonly native: readonly string[]
  readonly statement_name: string
  readonly portal_name: string
  readonly row_limit: number
  /** Secrets among the bound values. */
  readonly secrets?: readonly string[]
  /** What was masked in the bound values. */
  readonly masked?: MaskedCounts
  /** What column rules say about it; null without such rules. */
  readonly mask?: CommandMask | null
  /** The gateway itself cannot let it through, whatever the policy says. */
  readonly refusal: Refusal | null
}

/** Why a command does not run: a stable reason, and what the client gets. */
export type Refusal = {
  readonly reason: string
  readonly native: NativeError
  /** The builtin rule that says so, if it is one. */
  readonly rules?: readonly string[]
}

/** What a command that has to wait for people waits for, and what they are shown of it. */
export type HeldTerms = {
  readonly terms: HoldTerms
  readonly reason: string
  /** As recorded. */
  readonly text: string
  readonly parameters: readonly RecordedParameter[]
  /** Something of the command is not recorded (a secret): its hash must not let that be guessed. */
  readonly hidden: boolean
}

export type Received = {
  readonly command: Command
  readonly refusal: NativeError | null
  /** Set when it waits: it may not be forwarded before people have said yes. */
  readonly held: HeldTerms | null
}

/** Nothing of the text runs by them: a statement is held when it is bound or executed. */
const harmless_kinds = new Set<Command['kind']>(['prepare', 'describe'])

/** Names are kept one character per byte; records hold text. */
const shownName = (name: string): string =>
  name === '' ? '' : Buffer.from(name, 'latin1').toString('utf8').toWellFormed()

const no_rules: readonly never[] = []

const policyRefusal = (decision: CommandDecision, { analysis }: StatementText): Refusal => {
  if (!analysis.ok && decision.rules.includes(builtin_rules.unparsed)) {
    // Whoever mistyped sees the server's own words for it.
    const { code, message, position, hint } = unparsedRefusal(analysis)
    return {
      reason: analysis.kind === 'syntax' ? 'syntax_error' : 'unparsed',
      native: {
        severity: 'ERROR',
        code,
        message,
        ...(hint === '' ? {} : { hint }),
        ...(position > 0 ? { position } : {}),
      },
    }
  }
  return {
    reason: 'policy_denied',
    native: {
      severity: 'ERROR',
      code: sqlstate.insufficient_privilege,
      message: 'command refused by policy',
      detail: decision.reason,
    },
  }
}

/** A decision as it is recorded; what the gateway itself refuses is denied, whatever the policy said. */
const decisionMade = (
  command: number,
  { outcome, rules, reason, policy_digest, risk, dry_run }: CommandDecision,
  own: Refusal | null,
  masks: readonly string[],
): DecisionMade => {
  const base = { command, policy_digest, risk, dry_run }
  if (own !== null)
    return {
      ...base,
      outcome: 'deny',
      rules: own.rules ?? [],
      reason: own.native.detail ?? own.reason,
    }
  if (outcome !== 'allow' || masks.length === 0) return { ...base, outcome, rules, reason }
  const masked = `${reason}; masked by ${masks.join(', ')}`
  return { ...base, outcome: 'mask', rules: [...rules, ...masks], reason: masked }
}

export const recordRefused = (
  recorder: SessionRecorder,
  command: number,
  { reason, native }: Refusal,
): void => {
  recorder.append('command.refused', {
    command,
    reason,
    native_code: native.code,
    message: native.message,
  })
}

/**
 * Records commands: command.received, decision.made and, when it is not allowed, command.refused, in one synchronous step.
 */
export const openReceiver = (options: {
  readonly recorder: SessionRecorder
  readonly decide: DecideCommand
  readonly counted: (refused: boolean) => void
}): ((received: ReceivedCommand, path: SearchPath) => Received) => {
  const { recorder, decide } = options
  /** What only describes a held statement goes; the record says so. */
  const decided = (received: ReceivedCommand, path: SearchPath): CommandDecision => {
    const decision = decide(received, path)
    if (decision.hold === null || decision.dry_run || !harmless_kinds.has(received.kind))
      return decision
    const reason = `${decision.reason}; it is held when it runs`
    return { ...decision, outcome: 'allow', reason, hold: null }
  }

  return (received, path) => {
    const { statement, kind } = received
    const id = recorder.append('command.received', {
      text: statement.text,
      text_bytes: statement.text_bytes,
      text_sha256: statement.text_sha256,
      kind,
      native: received.native,
      verb: statement.verb,
      fingerprint: statement.fingerprint,
      statements: statement.statements,
      statement_name: shownName(received.statement_name),
      portal_name: shownName(received.portal_name),
      parameters: received.parameters,
      row_limit: received.row_limit,
      parse_error: statement.parse_error,
      pure_read: statement.pure_read,
      masked: joinCounts(statement.masked, received.masked ?? no_masks),
    })
    const decision = decided(received, path)
    const own = received.refusal
    recorder.append(
      'decision.made',
      decisionMade(id, decision, own, received.mask?.rules ?? no_rules),
    )
    const allowed = decision.outcome === 'allow' || decision.dry_run
    const held =
      own === null && !allowed && decision.outcome === 'hold' && decision.hold !== null
        ? {
            terms: decision.hold,
            reason: decision.reason,
            text: statement.text,
            parameters: received.parameters,
            hidden:
              statement.secrets.length + statement.masked.length > 0 ||
              received.parameters.some(({ masked }) => masked),
          }
        : null
    const refusal = own ?? (allowed || held !== null ? null : policyRefusal(decision, statement))
    // A held one is counted when its wait is over.
    if (held === null) options.counted(refusal !== null)
    if (refusal !== null) recordRefused(recorder, id, refusal)
    return {
      command: newCommand(
        id,
        kind,
        statement,
        refusal !== null,
        received.secrets === undefined || received.secrets.length === 0
          ? statement.secrets
          : [...statement.secrets, ...received.secrets],
        received.mask ?? null,
      ),
      refusal: refusal?.native ?? null,
      held,
    }
  }
}
