import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { CairnError } from '#lib/error.ts'
import { defineCommand } from '../command.ts'
import { tableLines } from '../terminal/table.ts'

export const topicsApply = defineCommand({
  name: 'topics apply',
  summary: 'create the topics of the log that are missing',
  positionals: [],
  description: [
    'Creates the missing topics with the partitions, replicas and retention of the configuration. What exists stays as it is;',
    'one with another number of partitions is an error, because it would break the order of a session.',
  ].join('\n'),
  options: {
    config: {
      type: 'string',
      value: 'FILE',
      doc: 'configuration file (default: cairn.yaml, if there is one)',
    },
  },
  examples: [['cairn topics apply --config cairn.yaml', 'before the first start on a new Kafka']],
  run: async ({ values, env, cwd, out }) => {
    const { loadConfig } = await import('#lib/config/load.ts')
    const file =
      values.config ?? (existsSync(resolve(cwd, 'cairn.yaml')) ? 'cairn.yaml' : undefined)
    const loaded = loadConfig({ ...(file === undefined ? {} : { file }), env, cwd })
    if (!loaded.ok)
      throw new CairnError(
        'config_invalid',
        `${file ?? 'the environment'} cannot be used; "cairn config check" says why`,
      )
    const { config } = loaded
    const { openLog } = await import('#lib/log/open.ts')
    const { topicSpecs } = await import('#lib/log/topics.ts')
    out.say(`opening the log (${config.log.kind})`)
    // Opening the log creates what is missing, here as in every service.
    await using _log = await openLog(config.log, { data_dir: config.data_dir })
    const lines = tableLines(
      [
        { title: 'TOPIC' },
        { title: 'PARTITIONS', number: true },
        { title: 'REPLICAS', number: true },
        { title: 'RETENTION', number: true },
      ],
      topicSpecs(config.log).map((topic) => [
        topic.name,
        String(topic.partitions),
        String(topic.replication ?? 1),
        `${Math.round((topic.retention_ms ?? 0) / 3_600_000)} h`,
      ]),
      { width_max: out.columns, title: out.style.bold },
    )
    for (const line of lines) await out.print(line)
    return 0
  },
})
