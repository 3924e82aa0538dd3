import { spawn } from 'node:child_process'

export type ProgramResult = {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export type RunProgram = {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Written to standard input, which is then closed. */
  readonly input?: string
  /** Called with the process, for signals. */
  readonly onStart?: (child: { kill(signal: NodeJS.Signals): boolean }) => void
}

/** Runs a program to its end; never throws for an exit code. */
export const runProgram = (
  file: string,
  args: readonly string[],
  options: RunProgram = {},
): Promise<ProgramResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: options.env, cwd: options.cwd, stdio: 'pipe' })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
    options.onStart?.(child)
  })

/** The same, and an error with the program's words unless it ended with 0. */
export const runOk = async (
  file: string,
  args: readonly string[],
  options: RunProgram = {},
): Promise<string> => {
  const { code, stdout, stderr } = await runProgram(file, args, options)
  if (code !== 0)
    throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${stderr.slice(-4000)}`)
  return stdout
}
