import { defineCommand } from '../command.ts'

export const upCommand = defineCommand({
  name: 'up',
  summary: 'run Cairn on this machine: all services, or the ones named',
  positionals: ['[SERVICE...]'],
  description: [
    'Runs the services (replay, forward, api, gateway), one process each, until Ctrl-C; then sessions are drained and records',
    'shipped. Prints one line of JSON when ready. Without a configuration (--config, or cairn.yaml in this folder) it runs',
    'the demonstration.',
  ].join('\n'),
  options: {
    config: { type: 'string', value: 'FILE', doc: 'configuration file' },
  },
  examples: [
    ['cairn up', 'everything, with the demonstration'],
    ['cairn up --config cairn.yaml', 'everything, on your configuration'],
    ['cairn up --config cairn.yaml gateway', 'a gateway alone, as in a container'],
  ],
  run: async ({ values, positionals }) => {
    const { runUp } = await import('../../main.ts')
    const code = await runUp(values.config, positionals)
    return code === 0 ? 0 : 2
  },
})
