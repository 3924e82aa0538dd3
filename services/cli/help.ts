import type { Command, OptionSpec } from './command.ts'

/** Options that every command has. */
export const common_options = {
  help: { type: 'boolean', short: 'h', doc: 'show this help' },
} as const satisfies Record<string, OptionSpec>

const optionName = ([name, option]: readonly [string, OptionSpec]): string =>
  `${option.short === undefined ? '    ' : `-${option.short}, `}--${name}${option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : ''}`

const aligned = (rows: readonly (readonly [string, string])[]): readonly string[] => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd())
}

const usageOf = (command: Command): string =>
  ['cairn', command.name, ...command.positionals, '[options]'].join(' ')

/** Help page of a command. */
export const commandHelp = (command: Command): readonly string[] => [
  usageOf(command),
  '',
  ...command.description.split('\n'),
  '',
  'Options:',
  ...aligned(
    Object.entries({ ...command.options, ...common_options }).map((option) => [
      optionName(option),
      option[1].doc,
    ]),
  ),
  '',
  'Examples:',
  ...command.examples.flatMap(([line, explanation]) => [`  ${line}`, `      ${explanation}`]),
]

/** Help page of the program. */
export const programHelp = (commands: readonly Command[]): readonly string[] => [
  'cairn COMMAND [options]',
  '',
  'Gateway and audit trail for machines that touch production.',
  '',
  'Commands:',
  ...aligned(commands.map((command) => [command.name, command.summary])),
  '',
  'Options:',
  ...aligned([
    ['-h, --help', 'help, also of a command: cairn COMMAND --help'],
    ['--version', 'print the version'],
  ]),
  '',
  'Exit codes: 0 good, 1 the answer is no, 2 unusable input or nothing to work with.',
]
