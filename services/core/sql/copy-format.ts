import type { SqlParser } from './parser.ts'

/** How the data of a COPY looks on the wire, by the options of its statement. */
export type CopyFormat =
  | { readonly kind: 'binary'; readonly encoding: string }
  | {
      readonly kind: 'text' | 'csv'
      /** Bytes. */
      readonly delimiter: number
      readonly quote: number
      readonly escape: number
      /** What stands for NULL. */
      readonly null_text: string
      /** The first line names the columns. */
      readonly header: boolean
      /** Empty: the client's. */
      readonly encoding: string
    }

type Node = Readonly<Record<string, unknown>>

const nodeAt = (node: Node | undefined, key: string): Node | undefined => {
  const value = node?.[key]
  return typeof value === 'object' && value !== null ? (value as Node) : undefined
}

const textOf = (arg: Node | undefined): string => {
  const [only] = Object.values(arg ?? {}) as readonly (Node | undefined)[]
  const value = only?.['sval'] ?? only?.['ival'] ?? only?.['boolval']
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : ''
}

/** The options of a COPY by name; of one given twice the server takes neither. */
const optionsOf = (copy: Node): ReadonlyMap<string, Node | undefined> => {
  const options = copy['options']
  const list = Array.isArray(options) ? (options as readonly Node[]) : []
  return new Map(
    list.flatMap((item) => {
      const element = nodeAt(item, 'DefElem')
      const name = element?.['defname']
      return typeof name === 'string' ? [[name, nodeAt(element, 'arg')] as const] : []
    }),
  )
}

const falsy = new Set(['false', 'off', '0'])

const byteOf = (text: string, otherwise: string): number =>
  (text === '' ? otherwise : text).charCodeAt(0)

/** Undefined: a format that is not known here, or a character that is none of one byte. */
const formatOf = (copy: Node): CopyFormat | undefined => {
  const options = optionsOf(copy)
  const option = (name: string): string => textOf(options.get(name))
  const kind = options.has('format') ? option('format') : 'text'
  const encoding = option('encoding')
  if (kind === 'binary') return { kind, encoding }
  if (kind !== 'text' && kind !== 'csv') return undefined
  const csv = kind === 'csv'
  const header = options.has('header') && !falsy.has(option('header').toLowerCase())
  const quote = byteOf(option('quote'), '"')
  const format = {
    kind,
    delimiter: byteOf(option('delimiter'), csv ? ',' : '\t'),
    quote,
    escape: options.has('escape') ? byteOf(option('escape'), '"') : quote,
    null_text: options.has('null') ? option('null') : csv ? '' : String.raw`\N`,
    header,
    encoding,
  } as const
  const marks = [format.delimiter, format.quote, format.escape]
  return marks.every((byte) => byte < 0x80) ? format : undefined
}

/**
 * The formats of a text's statements, null for one that is no COPY and undefined for one that cannot be read; undefined for the whole of a
 * text that cannot be parsed.
 */
export const copyFormats = (
  parser: Pick<SqlParser, 'parse'>,
  text: string,
): readonly (CopyFormat | null | undefined)[] | undefined => {
  const parsed = parser.parse(text)
  if (!parsed.ok) return undefined
  return (parsed.tree.stmts ?? []).map(({ stmt }) => {
    const copy = nodeAt(stmt, 'CopyStmt')
    return copy === undefined ? null : formatOf(copy)
  })
}
