import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
} from 'yaml'
import type { ConfigProblem, Path } from './problem.ts'

/** Aliases resolve to at most this many nodes: enough for shared blocks, too few for a bomb. */
const alias_nodes_max = 1000

/** Where something stands in the text, counted from 1. */
export type Place = { readonly line: number; readonly column: number }

/** A parsed file: its plain value, and the way from a path back to the line. */
export type Source = {
  readonly value: unknown
  /** Place of the value at a path, or of the nearest parent that is written in the file. */
  readonly placeOf: (path: Path) => Place | undefined
  /** Place of a key inside the map at a path. */
  readonly placeOfKey: (path: Path, key: string) => Place | undefined
  /** Text of a scalar as written, before references were resolved; undefined where the file has none. */
  readonly writtenAt: (path: Path) => unknown
}

export type SourceResult =
  | { readonly ok: true; readonly source: Source }
  | { readonly ok: false; readonly errors: readonly ConfigProblem[] }

const yaml_messages: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key stands twice in the same block',
  MULTIPLE_DOCS: 'the file holds several YAML documents (---); one is expected',
  TAB_AS_INDENT: 'tabs cannot indent YAML; use spaces',
  BAD_INDENT: 'the indentation does not fit the block it stands in',
}

const child = (
  document: Document,
  node: Node | undefined,
  key: string | number,
): Node | undefined => {
  const resolved = isAlias(node) ? node.resolve(document) : node
  if (isMap(resolved)) {
    const pair = resolved.items.find(
      (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
    )
    return (pair?.value ?? undefined) as Node | undefined
  }
  if (isSeq(resolved) && typeof key === 'number') return resolved.items[key] as Node | undefined
  return undefined
}

const navigator = (document: Document, lines: LineCounter): Omit<Source, 'value'> => {
  const place = (node: Node | undefined): Place | undefined => {
    const offset = node?.range?.[0]
    if (offset === undefined) return undefined
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const nodeAt = (path: Path): Node | undefined => {
    let node: Node | undefined = document.contents ?? undefined
    for (const key of path) node = child(document, node, key)
    return node
  }
  const keyPlace = (path: Path, key: string): Place | undefined => {
    const found = nodeAt(path)
    const map = isAlias(found) ? found.resolve(document) : found
    if (!isMap(map)) return undefined
    const pair = map.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
    return place(pair?.key as Node | undefined)
  }
  const placeOf = (path: Path): Place | undefined => {
    for (let length = path.length; length >= 0; length--) {
      const here = path.slice(0, length)
      const last = here.at(-1)
      // The key's line, not the value's: a block's value begins on the line below.
      const found =
        (typeof last === 'string' ? keyPlace(here.slice(0, -1), last) : undefined) ??
        place(nodeAt(here))
      if (found !== undefined) return found
    }
    return undefined
  }
  const writtenAt = (path: Path): unknown => {
    const node = nodeAt(path)
    return isScalar(node) ? node.value : undefined
  }
  return { placeOf, placeOfKey: keyPlace, writtenAt }
}

/**
 * Parses the text of a configuration file (YAML 1.2, one document, a map at the top). Every syntax error is reported with its
 * line; duplicate keys, alias bombs, tags and non-map documents are errors.
 */
export const parseSource = (text: string): SourceResult => {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    version: '1.2',
  })
  const problems = [...document.errors, ...document.warnings].map((error): ConfigProblem => {
    const { line, col } = lines.linePos(error.pos[0])
    return {
      line,
      column: col,
      path: '',
      message: yaml_messages[error.code] ?? `not valid YAML: ${error.message}`,
    }
  })
  if (problems.length > 0) return { ok: false, errors: problems }
  if (document.contents === null) {
    return {
      ok: false,
      errors: [
        {
          line: 1,
          column: 1,
          path: '',
          message: 'the file is empty; an empty configuration is written {}',
        },
      ],
    }
  }
  if (!isMap(document.contents)) {
    return {
      ok: false,
      errors: [
        {
          line: 1,
          column: 1,
          path: '',
          message: 'expected keys and values at the top of the file',
        },
      ],
    }
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: alias_nodes_max })
    return { ok: true, source: { value, ...navigator(document, lines) } }
  } catch {
    return {
      ok: false,
      errors: [
        {
          line: 1,
          column: 1,
          path: '',
          message: `aliases expand to more than ${alias_nodes_max} nodes`,
        },
      ],
    }
  }
}
