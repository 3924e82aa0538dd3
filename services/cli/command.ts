import type { Style } from './terminal/style.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** An option: `type` boolean is a switch, string takes a value (named `value` in the help). */
export type OptionSpec = {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  /** What stands for the value in the help, for example N or FILE. */
  readonly value?: string
  readonly doc: string
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>

/** Option values by name: switches are false when absent. */
export type OptionValues<Specs extends OptionSpecs> = {
  readonly [Name in keyof Specs]: Specs[Name]['type'] extends 'boolean'
    ? boolean
    : Specs[Name]['type'] extends 'string'
      ? string | undefined
      : boolean | string | undefined
}

/** Where a command writes. Text must be safe (terminal/safe-text.ts). */
export type Output = {
  /** A line of the command's result, to standard output. Resolves when it may go on (a slow reader slows it down). */
  readonly print: (line: string) => Promise<void>
  /** A line for the person: progress, hints, warnings; to standard error. */
  readonly say: (line: string) => void
  /** Columns of the terminal; null when standard output is none. */
  readonly columns: number | null
  readonly style: Style
}

export type CommandInput<Specs extends OptionSpecs> = {
  readonly values: OptionValues<Specs>
  /** What stands beside the options, as many as the usage names. */
  readonly positionals: readonly string[]
  readonly env: Environment
  readonly cwd: string
  readonly out: Output
  /** Reads all of standard input, as text. */
  readonly stdin: () => Promise<string>
  readonly now_ms: () => number
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
}

/** Exit codes: 0 good, 1 the answer is no, 2 unusable input (or nothing to work with: the API is down). */
export type ExitCode = 0 | 1 | 2

export type CommandSpec<Specs extends OptionSpecs> = {
  /** One word or two: `sessions`, `config check`. */
  readonly name: string
  /** One line, lower case, no full stop. */
  readonly summary: string
  /** Names of what stands beside the options, `[X]` optional, `[X...]` any number. */
  readonly positionals: readonly string[]
  /** Paragraphs of the help. */
  readonly description: string
  readonly options: Specs
  readonly examples: readonly (readonly [command: string, explanation: string])[]
  /** Ends by Ctrl-C in its own way: the signal is then no error. */
  readonly run: (input: CommandInput<Specs>) => Promise<ExitCode>
}

/** A command as the program sees it: option types forgotten. */
export type Command = Omit<CommandSpec<OptionSpecs>, 'run'> & {
  readonly run: (input: CommandInput<OptionSpecs>) => Promise<ExitCode>
}

/** Defines a command: its argument is its help page and its option parser; listed in commands/registry.ts. */
export const defineCommand = <const Specs extends OptionSpecs>(spec: CommandSpec<Specs>): Command =>
  // The parser gives each command the values of its own specs.
  spec as unknown as Command

/** A limit given as a whole number from 1 to `max`. */
export const wholeNumber = (text: string, max: number): number | undefined =>
  /^\d{1,9}$/.test(text) && Number(text) >= 1 && Number(text) <= max ? Number(text) : undefined
