import { CairnError } from '#lib/error.ts'
import { defineCommand } from '../command.ts'
import { safeLine } from '../terminal/safe-text.ts'

export const configCheck = defineCommand({
  name: 'config check',
  summary: 'check a configuration file',
  positionals: ['[FILE]'],
  description: [
    'Reads the configuration as every service does and lists everything that is wrong with it, with file, line and column.',
    'Exit code 2 when it cannot be used. Warnings alone leave it usable. Without FILE: cairn.yaml.',
  ].join('\n'),
  options: {
    json: { type: 'boolean', doc: 'one JSON object: ok, errors, warnings' },
  },
  examples: [
    ['cairn config check', 'check cairn.yaml in this folder'],
    ['cairn config check deploy/cairn.yaml', 'check another one'],
  ],
  run: async ({ values, positionals, env, cwd, out }) => {
    const file = positionals[0] ?? 'cairn.yaml'
    const { loadConfig } = await import('#lib/config/load.ts')
    const { problemText } = await import('#lib/config/problem.ts')
    const loaded = loadConfig({ file, env, cwd })
    const errors = loaded.ok ? [] : loaded.errors
    const warnings = loaded.ok ? loaded.warnings : []
    if (values.json) {
      await out.print(JSON.stringify({ ok: loaded.ok, errors, warnings }))
      return loaded.ok ? 0 : 2
    }
    for (const problem of warnings)
      out.say(`${safeLine(problemText(problem, file))} ${out.style.warn('(warning)')}`)
    if (loaded.ok) {
      await out.print(
        `${file} is good${warnings.length === 0 ? '' : `, with ${warnings.length} warnings`}`,
      )
      return 0
    }
    for (const problem of errors) await out.print(safeLine(problemText(problem, file)))
    throw new CairnError(
      'config_invalid',
      `${file} cannot be used: ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}`,
    )
  },
})
