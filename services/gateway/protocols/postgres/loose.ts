import { recordCommand, type Item, type Run } from './batch.ts'
import { commandMask, type CommandMask } from './masking/command-mask.ts'
import { messageNames } from './frontend-messages.ts'
import { isCertain, type Portal, type Prepared } from './prepared.ts'
import type { Refusal } from './receive.ts'
import { unknownStatement, type StatementText } from './statement.ts'
import { frontend } from './wire.ts'

/**
 * Messages of the extended protocol whose Execute does not come with them reach the target on their own, and nothing does that
 * unrecorded: a Parse is a command of kind `prepare`, a Bind (with its Parse, if that is loose too) `bind`, a lone Describe
 * `describe`, a lone Close `prepare` with the verb `deallocate`.
 */

export const nativeNames = (members: readonly Item[]): readonly string[] =>
  members.map(({ type }) => messageNames[type] ?? '')

/** A pure read no longer, when its name may mean something else by now. */
export const provenOnly = (statement: StatementText, proven: boolean): StatementText =>
  proven || !statement.pure_read ? statement : { ...statement, pure_read: false }

/** Close runs nothing. */
const closing = {
  verb: 'deallocate',
  pure_read: true,
  unsettling: false,
  names: null,
  moves: null,
} as const

/** Nothing runs: only what the server says of it counts. What is not certain may quote anything. */
const looseMask = ({ state, options }: Run, statement: StatementText): CommandMask | null => {
  const mask = commandMask(options.masks, state, statement)
  return mask === 'wait' || mask === null ? null : { ...mask, rules: [] }
}

export const recordPrepare = (
  run: Run,
  members: readonly Item[],
  prepared: Prepared,
  refusal: Refusal | null,
): void => {
  recordCommand(
    run,
    {
      kind: 'prepare',
      statement: prepared.statement,
      parameters: [],
      mask: looseMask(run, prepared.statement),
      native: nativeNames(members),
      statement_name: prepared.name,
      portal_name: '',
      row_limit: 0,
      refusal,
    },
    members,
  )
}

export const recordBind = (
  run: Run,
  members: readonly Item[],
  portal: Portal,
  refusal: Refusal | null,
): void => {
  recordCommand(
    run,
    {
      kind: 'bind',
      statement: provenOnly(portal.statement, portal.proven),
      parameters: portal.parameters,
      secrets: portal.secrets,
      masked: portal.masked,
      mask: looseMask(run, portal.prepared.statement),
      native: nativeNames(members),
      statement_name: portal.prepared.name,
      portal_name: portal.name,
      row_limit: 0,
      refusal,
    },
    members,
  )
}

/** Describe or Close without anything else. */
const recordBare = (run: Run, members: readonly Item[], first: Item): void => {
  const { prepared } = first
  const statement =
    prepared === null
      ? unknownStatement('')
      : provenOnly(prepared.statement, isCertain(run.state, run.state.statements, prepared))
  const close = first.type === frontend.close
  recordCommand(
    run,
    {
      kind: close ? 'prepare' : 'describe',
      statement: close ? { ...statement, ...closing } : { ...statement, unsettling: false },
      parameters: [],
      native: nativeNames(members),
      statement_name: first.ofStatement ? first.name : '',
      portal_name: first.ofStatement ? '' : first.name,
      row_limit: 0,
      refusal: null,
    },
    members,
  )
}

/** Records what is loose, in the order of its first messages; stops at one that has to wait. */
export const recordLoose = (run: Run): void => {
  while (run.loose.length > 0 && run.holding === null) {
    const first = run.loose[0]!
    const { prepared, portal } = first
    const bound =
      portal ??
      run.loose.find((item) => item.portal !== null && item.prepared === prepared)?.portal ??
      null
    const subject = first.type === frontend.close ? null : bound
    const members = run.loose.filter(
      (item) =>
        item === first ||
        (first.type !== frontend.close &&
          item.type !== frontend.close &&
          ((subject !== null && item.portal === subject) ||
            (prepared !== null && item.portal === null && item.prepared === prepared))),
    )
    run.loose = run.loose.filter((item) => !members.includes(item))
    if (subject !== null && members.some(({ type }) => type === frontend.bind))
      recordBind(run, members, subject, null)
    else if (first.type === frontend.parse && prepared !== null)
      recordPrepare(run, members, prepared, null)
    else recordBare(run, members, first)
  }
}
