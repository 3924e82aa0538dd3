import type { Command } from '../command.ts'
import { approvalsCommand } from './approvals.ts'
import { commandsCommand } from './commands.ts'
import { configCheck } from './config-check.ts'
import { approveCommand, denyCommand } from './decide.ts'
import { policyTest } from './policy-test.ts'
import { replayCommand } from './replay.ts'
import { sessions } from './sessions.ts'
import { tokenCommand } from './token.ts'
import { topicsApply } from './topics-apply.ts'
import { upCommand } from './up.ts'

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  upCommand,
  tokenCommand,
  sessions,
  commandsCommand,
  approvalsCommand,
  approveCommand,
  denyCommand,
  replayCommand,
  configCheck,
  policyTest,
  topicsApply,
]
