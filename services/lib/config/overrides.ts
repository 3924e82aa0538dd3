import type { ConfigProblem, Path } from './problem.ts'

/** Environment variables that override a port of the file. */
const port_variables: Readonly<Record<string, Path>> = {
  CAIRN_POSTGRES_PORT: ['listeners', 'postgres', 'port'],
  CAIRN_API_PORT: ['api', 'port'],
  CAIRN_CLICKHOUSE_PORT: ['clickhouse', 'http_port'],
}

type Tree = { [key: string]: unknown }

const isTree = (value: unknown): value is Tree =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** Sets a value in a plain tree; leaves the tree alone where something else than a map is in the way (the schema says so). */
const set = (tree: Tree, path: Path, value: unknown): void => {
  let node = tree
  for (const key of path.slice(0, -1)) {
    const next = node[key] ?? {}
    if (!isTree(next)) return
    node[key] = next
    node = next
  }
  node[String(path.at(-1))] = value
}

/**
 * Applies CAIRN_<SERVICE>_PORT and CAIRN_DATA_DIR to a plain configuration, in place. Empty variables count as not set.
 * @returns what is wrong with the variables
 */
export const applyOverrides = (
  tree: Tree,
  env: Readonly<Record<string, string | undefined>>,
): readonly ConfigProblem[] => {
  const problems: ConfigProblem[] = []
  for (const [variable, path] of Object.entries(port_variables)) {
    const text = env[variable]
    if (text === undefined || text === '') continue
    if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) set(tree, path, Number(text))
    else problems.push({ path: variable, message: 'expected a port, 0 to 65535' })
  }
  const folder = env['CAIRN_DATA_DIR']
  if (folder !== undefined && folder !== '') tree['data_dir'] = folder
  return problems
}
