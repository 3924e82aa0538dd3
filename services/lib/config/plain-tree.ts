import type { Path } from './problem.ts'

/** What is wrong, and where. */
export type Finding = { readonly path: Path; readonly message: string }
/** A block of the file as plain values. */
export type Tree = Readonly<Record<string, unknown>>

// All of this reads the file's plain values, not the parsed configuration: a typing mistake in one section must not hide what is
// wrong between two others.

export const isTree = (value: unknown): value is Tree =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
export const treeAt = (tree: Tree, key: string): Tree => (isTree(tree[key]) ? tree[key] : {})
export const listAt = (tree: Tree, key: string): readonly Tree[] => {
  const list = tree[key]
  return Array.isArray(list) ? list.map((item: unknown) => (isTree(item) ? item : {})) : []
}
export const textsAt = (tree: Tree, key: string): readonly string[] => {
  const list = tree[key]
  return Array.isArray(list)
    ? list.map((item: unknown) => (typeof item === 'string' ? item : ''))
    : []
}
export const namesOf = (list: readonly Tree[]): ReadonlySet<string> =>
  new Set(list.map((item) => item['name']).filter((name) => typeof name === 'string'))

export const known = (names: ReadonlySet<string>): string =>
  names.size === 0 ? 'none is configured' : `known: ${[...names].slice(0, 10).join(', ')}`

/** Names must be unique in their list: decisions and positions are kept under them. */
export const duplicates = (list: readonly Tree[], at: Path, what: string): Finding[] => {
  const seen = new Set<unknown>()
  return list.flatMap((item, index) => {
    const name = item['name']
    if (typeof name !== 'string') return []
    if (seen.has(name))
      return [{ path: [...at, index, 'name'], message: `another ${what} has this name already` }]
    seen.add(name)
    return []
  })
}

/** cert_file and key_file come together. */
export const certificatePairs = (tree: Tree, at: Path): Finding[] => {
  const has = (key: string): boolean => tree[key] !== undefined
  if (has('cert_file') === has('key_file')) return []
  const missing = has('cert_file') ? 'key_file' : 'cert_file'
  return [{ path: at, message: `${missing} is missing: certificate and key come together` }]
}
