import type { DecisionMade } from '#core/events/types.ts'
import { builtin_rules, type CommandDecision } from '#core/policy/decision.ts'
import { refusalOf as unparsedRefusal } from '#core/sql/refusal.ts'
import type { SessionRecorder } from '../../recorder/port.ts'
import { newCommand, type Command } from './command.ts'
import { sqlstate, type NativeError } from './errors.ts'
import type { RecordedParameter } from './prepared.ts'
import type { StatementText } from './statement.ts'

/** A command as the decision point sees it. */
export type CommandFacts = {
  readonly kind: Command['kind']
  readonly statement: StatementText
  readonly parameters: readonly RecordedParameter[]
}

/** Decides about one command, at once. */
export type DecideCommand = (command: CommandFacts) => CommandDecision

export type ReceivedCommand = CommandFacts & {
  /** Native message types that form it. */
  readonly native: readonly string[]
  readonly statement_name: string
  readonly portal_name: string
  readonly row_limit: number
  /** Secrets among the bound values. */
  readonly secrets?: readonly string[]
  /** The gateway itself cannot let it through, whatever the policy says. */
  readonly refusal: Refusal | null
}

/** Why a command does not run: a stable reason, and what the client gets. */
export type Refusal = { readonly reason: string; readonly native: NativeError }

export type Received = { readonly command: Command; readonly refusal: NativeError | null }

/** Names are kept one character per byte; records hold text. */
const shownName = (name: string): string =>
  name === '' ? '' : Buffer.from(name, 'latin1').toString('utf8').toWellFormed()

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
): DecisionMade =>
  own === null
    ? { command, outcome, rules, reason, policy_digest, risk, dry_run }
    : { command, outcome: 'deny', rules: [], reason: own.reason, policy_digest, risk, dry_run }

/**
 * Records commands: command.received, decision.made and, when it is not allowed, command.refused, in one synchronous step.
 * `hold` and `mask` need parts that this gateway does not have yet: they refuse.
 */
export const openReceiver = (options: {
  readonly recorder: SessionRecorder
  readonly decide: DecideCommand
  readonly counted: (refused: boolean) => void
}): ((received: ReceivedCommand) => Received) => {
  const { recorder, decide } = options
  return (received) => {
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
      masked: [],
    })
    const decision = decide(received)
    const own = received.refusal
    recorder.append('decision.made', decisionMade(id, decision, own))
    const refusal =
      own ??
      (decision.outcome === 'allow' || decision.dry_run ? null : policyRefusal(decision, statement))
    options.counted(refusal !== null)
    if (refusal !== null)
      recorder.append('command.refused', {
        command: id,
        reason: refusal.reason,
        native_code: refusal.native.code,
        message: refusal.native.message,
      })
    return {
      command: newCommand(
        id,
        kind,
        statement,
        refusal !== null,
        received.secrets === undefined || received.secrets.length === 0
          ? statement.secrets
          : [...statement.secrets, ...received.secrets],
      ),
      refusal: refusal?.native ?? null,
    }
  }
}
