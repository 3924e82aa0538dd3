/**
 * The value of the setting `search_path`, as SHOW and ParameterStatus give it.
 *
 *     path  = [ entry *( "," entry ) ]      entry = name / quoted      spaces around them mean nothing
 *     name  = 1*( not a comma, quote or space )     folded to lower case
 *     quoted = '"' *( not a quote / '""' ) '"'
 */

const entry = /^\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(,|$)/

/** Names in a path; more make it one that is not understood. */
const entries_max = 1000

/** The schemas a path names, in order, `$user` as it stands; undefined when it is no such list. */
export const parseSearchPath = (value: string): readonly string[] | undefined => {
  const found: string[] = []
  let rest = value
  if (rest.trim() === '') return found
  for (let left = entries_max; left > 0; left -= 1) {
    const match = entry.exec(rest)
    if (match === null) return undefined
    const [whole, quoted, plain, end] = match
    // An empty quoted entry is how an empty path is written: it names nothing.
    const name = quoted === undefined ? (plain ?? '').toLowerCase() : quoted.replaceAll('""', '"')
    if (name !== '') found.push(name)
    if (end === '') return found
    rest = rest.slice(whole.length)
  }
  return undefined
}

/** A path with the session's own schema in the place of `$user`. `user` undefined: not known, and then neither is such a path. */
export const resolveSearchPath = (
  path: readonly string[],
  user: string | undefined,
): readonly string[] | undefined => {
  if (!path.includes('$user')) return path
  if (user === undefined) return undefined
  return path.map((schema) => (schema === '$user' ? user : schema))
}

/** A name as a list setting writes it. */
export const quotedEntry = (name: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
