import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CairnError } from '#lib/error.ts'
import type { Command, ExitCode, OptionValues, OptionSpecs, Output } from './command.ts'
import { commands } from './commands/registry.ts'
import { commandHelp, common_options, programHelp } from './help.ts'
import { openStyle, wantsColour } from './terminal/style.ts'
import { safeLine, safeLines } from './terminal/safe-text.ts'

/** Standard input that a command reads (a token), bytes. */
const stdin_bytes_max = 1024 * 1024

const version = (): string => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

const openOutput = (): Output => {
  const { stdout, stderr } = process
  // `cairn commands | head`: the reader has enough, and so have we.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  const given = Number(process.env['COLUMNS'])
  return {
    print: async (line) => {
      if (stdout.write(`${line}\n`)) return
      await new Promise<void>((resolve) => stdout.once('drain', () => resolve()))
    },
    say: (line) => {
      stderr.write(`${line}\n`)
    },
    columns: stdout.isTTY ? stdout.columns : Number.isInteger(given) && given > 0 ? given : null,
    style: openStyle(wantsColour(stdout, process.env)),
  }
}

const readStdin = async (): Promise<string> => {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const part of process.stdin) {
    text += String(part)
    if (text.length > stdin_bytes_max)
      throw new CairnError(
        'unusable_input',
        `standard input is larger than ${stdin_bytes_max} bytes`,
      )
  }
  return text
}

const findCommand = (
  words: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined => {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ')
    const command = commands.find((one) => one.name === name)
    if (command !== undefined && words.length >= length)
      return { command, rest: words.slice(length) }
  }
  return undefined
}

const unknownCommand = (words: readonly string[]): CairnError => {
  const word = words[0] ?? ''
  const below = commands.filter(({ name }) => name.startsWith(`${word} `))
  return new CairnError(
    'unusable_input',
    below.length > 0
      ? `${word} what? There ${below.length === 1 ? 'is' : 'are'} ${below.map(({ name }) => `"cairn ${name}"`).join(', ')}`
      : `no command "${word}"; "cairn --help" lists them`,
  )
}

const parse = (
  command: Command,
  rest: readonly string[],
): { readonly values: OptionValues<OptionSpecs>; readonly positionals: readonly string[] } => {
  const specs = { ...command.options, ...common_options }
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, short }]) => [
      name,
      short === undefined ? { type } : { type, short },
    ]),
  )
  try {
    const parsed = parseArgs({ args: [...rest], options, allowPositionals: true })
    const values = Object.fromEntries(
      Object.entries(specs).map(([name, { type }]) => [
        name,
        parsed.values[name] ?? (type === 'boolean' ? false : undefined),
      ]),
    )
    return { values, positionals: parsed.positionals }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const words = error.message.split('. ')[0] ?? error.message
    throw new CairnError('unusable_input', `${words}; see "cairn ${command.name} --help"`)
  }
}

const checkPositionals = (command: Command, given: readonly string[]): void => {
  const needed = command.positionals.filter((name) => !name.startsWith('['))
  const any = command.positionals.some((name) => name.endsWith('...]'))
  const missing = needed[given.length]
  if (missing !== undefined)
    throw new CairnError(
      'unusable_input',
      `${missing} is missing; see "cairn ${command.name} --help"`,
    )
  const extra = given[command.positionals.length]
  if (!any && extra !== undefined)
    throw new CairnError(
      'unusable_input',
      `"${extra}" is too much; see "cairn ${command.name} --help"`,
    )
}

const run = async (
  argv: readonly string[],
  out: Output,
  signal: AbortSignal,
): Promise<ExitCode> => {
  const [first] = argv
  if (first === '--version') {
    await out.print(version())
    return 0
  }
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const lines = programHelp(commands)
    if (first !== undefined) for (const line of lines) await out.print(line)
    else for (const line of lines) out.say(line)
    return first === undefined ? 2 : 0
  }
  const found = findCommand(argv)
  if (found === undefined) throw unknownCommand(argv)
  const { command, rest } = found
  const { values, positionals } = parse(command, rest)
  if (values['help'] === true) {
    for (const line of commandHelp(command)) await out.print(line)
    return 0
  }
  checkPositionals(command, positionals)
  return command.run({
    values,
    positionals,
    env: process.env,
    cwd: process.cwd(),
    out,
    stdin: readStdin,
    now_ms: Date.now,
    signal,
  })
}

const main = async (): Promise<void> => {
  const out = openOutput()
  const stop = new AbortController()
  let interrupted: NodeJS.Signals | undefined
  // `up` drains and listens to signals itself; everything else may end at once.
  const drains = process.argv[2] === 'up'
  if (!drains)
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        interrupted = signal
        stop.abort()
      })
  try {
    process.exitCode = await run(process.argv.slice(2), out, stop.signal)
  } catch (error) {
    if (interrupted !== undefined) process.exitCode = interrupted === 'SIGINT' ? 130 : 143
    else {
      process.exitCode = 2
      if (error instanceof CairnError)
        safeLines(error.message).forEach((line, index) =>
          out.say(index === 0 ? `cairn: ${line}` : line),
        )
      else out.say(`cairn: this is a bug: ${safeLine(String(error))}`)
      if (process.env['CAIRN_DEBUG'] !== undefined && error instanceof Error)
        for (const line of safeLines(error.stack ?? '')) out.say(line)
    }
  }
}

await main()
