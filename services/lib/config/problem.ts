/** Way to a value: keys and list positions. */
export type Path = readonly (string | number)[]

/** Something wrong in the configuration, for a person. Never carries a secret or the value behind a reference. */
export type ConfigProblem = {
  /** File it is in, where that is not the configuration file itself. */
  readonly file?: string
  /** Line in the file, from 1; absent when it does not come from the file. */
  readonly line?: number
  readonly column?: number
  /** Key, as `targets[0].roles[1].credential`; a variable's name where an environment override is wrong; empty for the whole file. */
  readonly path: string
  readonly message: string
}

/** A path as people write it. */
export const pathText = (path: Path): string =>
  path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`,
    '',
  )

/** One problem as a line of output: `cairn.yaml:12:5: targets[0].prot: unknown key`. */
export const problemText = (problem: ConfigProblem, file = 'configuration'): string => {
  const place = problem.line === undefined ? '' : `:${problem.line}:${problem.column ?? 1}`
  return `${problem.file ?? file}${place}: ${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`
}
