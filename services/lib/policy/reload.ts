import { resolve } from 'node:path'
import { loadConfig } from '#lib/config/load.ts'
import { problemText } from '#lib/config/problem.ts'
import type { Config } from '#lib/config/schema.ts'
import { watchFiles } from '#lib/file-watch.ts'
import type { Logger } from '#lib/logger.ts'
import { counter } from '#lib/metrics.ts'
import { loadPolicy, type LoadedPolicy, type PolicyHolder } from './policy.ts'

/** Problems that stand in a reason; the log has all of them. */
const shown_problems_max = 5

/** What happens to a policy after the start. */
export type PolicyChanges = {
  /** Another policy is about to come into force. Throws: it does not. */
  readonly loaded: (policy: LoadedPolicy) => void
  /** What is in the files cannot be used, and the policy before it stays; said once until it is good again. */
  readonly broken: (reason: string) => void
  /** The files can be used again. */
  readonly mended: () => void
}

export type PolicyReloadOptions = {
  readonly config: Pick<Config, 'policy_file'>
  /** The configuration file; undefined: there is none, and nothing changes. */
  readonly config_file: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly policy: PolicyHolder
  readonly changes: PolicyChanges
  readonly logger: Logger
  readonly poll_ms?: number
}

/** Where a policy comes from, in words. */
export const policySource = (
  config: Pick<Config, 'policy_file'>,
  config_file: string | undefined,
): string =>
  config.policy_file === undefined
    ? (config_file ?? 'configuration')
    : `${config_file ?? 'configuration'} and ${config.policy_file}`

/**
 * Reads the policies anew when the configuration or the file of policies changes: `policies`, `policy_file` and `policy_mode`; everything else
 * of a configuration takes effect at the next start. All or nothing: what has any error changes nothing.
 */
export const openPolicyReload = (options: PolicyReloadOptions): Disposable => {
  const { env, cwd, policy, changes, logger } = options
  if (options.config_file === undefined) return { [Symbol.dispose]: () => undefined }
  const config_file = resolve(cwd, options.config_file)
  const reads = counter({
    name: 'policy_reads_total',
    help: 'Times the policy was read anew: it changed, stayed the same, or could not be used.',
    labels: ['outcome'],
  })
  let watched: Disposable | undefined
  let trouble = false
  let closed = false

  const refuse = (reason: string): void => {
    reads.inc({ outcome: 'refused' })
    if (!trouble) changes.broken(reason)
    trouble = true
  }

  const take = (config: Config): void => {
    const next = loadPolicy(config, policySource(config, config_file))
    const another = next.set.digest !== policy.current().set.digest
    if (another) {
      changes.loaded(next)
      policy.replace(next)
      logger.info({ digest: next.set.digest, source: next.source }, 'another policy is in force')
    }
    reads.inc({ outcome: another ? 'changed' : 'same' })
    if (trouble) changes.mended()
    trouble = false
  }

  const read = (): void => {
    const loaded = loadConfig({ file: config_file, env, cwd })
    if (loaded.ok) {
      // Another file may be named now.
      watch(loaded.config)
      take(loaded.config)
      return
    }
    const problems = loaded.errors.map((problem) => problemText(problem, config_file))
    logger.error({ problems }, 'the policy cannot be used: the one before it stays in force')
    const more = problems.length - shown_problems_max
    refuse(problems.slice(0, shown_problems_max).join('; ') + (more > 0 ? ` and ${more} more` : ''))
  }

  const changed = (): void => {
    if (closed) return
    try {
      read()
    } catch (error) {
      logger.error({ err: error }, 'the policy could not be read anew: the one before it stays')
      refuse(error instanceof Error ? error.message : String(error))
    }
  }

  let watching = ''
  const watch = ({ policy_file }: Pick<Config, 'policy_file'>): void => {
    const files = [config_file, ...(policy_file === undefined ? [] : [policy_file])]
    if (files.join('\0') === watching) return
    watching = files.join('\0')
    watched?.[Symbol.dispose]()
    const { poll_ms } = options
    watched = watchFiles(files, changed, poll_ms === undefined ? {} : { poll_ms })
  }

  watch(options.config)
  return {
    [Symbol.dispose]: () => {
      closed = true
      watched?.[Symbol.dispose]()
    },
  }
}
