import type { Style } from '../terminal/style.ts'
import { cut, safeLine, safeLines } from '../terminal/safe-text.ts'
import { tableLines, type Column } from '../terminal/table.ts'
import { size } from '../terminal/time.ts'

/** What a client got in answer to a command, one protocol message at a time, whatever the protocol. Every text is untrusted. */
export type ResponsePart =
  | { readonly kind: 'columns'; readonly columns: readonly ResponseColumn[] }
  | { readonly kind: 'row'; readonly cells: readonly (string | null)[] }
  | { readonly kind: 'complete'; readonly tag: string }
  | { readonly kind: 'copy'; readonly bytes: number }
  | {
      readonly kind: 'error' | 'notice'
      readonly severity: string
      readonly code: string
      readonly message: string
      readonly detail: string
      readonly hint: string
    }
  | { readonly kind: 'note'; readonly text: string }

export type ResponseColumn = { readonly name: string; readonly number: boolean }

export type ResponseOptions = {
  readonly style: Style
  /** Screen columns; null: as wide as it gets. */
  readonly columns: number | null
  /** Rows of a result that are shown (and kept). */
  readonly rows_max: number
}

/** Characters of a cell that are kept; the table cuts further. */
const cell_chars_max = 4096
/** Lines of errors, notices and results that one command's response keeps. */
const lines_max = 10_000

/** Collects the response of one command as lines for the screen; holds `rows_max` rows and counts the others. */
export interface ResponseView {
  add(part: ResponsePart): void
  /** The lines so far; what is unfinished (a result that was cut off) included. */
  lines(): readonly string[]
}

type Result = {
  readonly columns: readonly ResponseColumn[]
  readonly rows: string[][]
  count: number
}

const cellText = (cell: string | null): string =>
  cell === null ? 'NULL' : cell.slice(0, cell_chars_max)

const messageLines = (
  part: Extract<ResponsePart, { kind: 'error' | 'notice' }>,
  style: Style,
): readonly string[] => {
  const paint = part.kind === 'error' ? style.bad : style.warn
  const code = part.code === '' || part.code === '00000' ? '' : ` ${part.code}`
  const [first = '', ...rest] = safeLines(part.message)
  return [
    paint(`${safeLine(part.severity)}${safeLine(code)}: ${first}`),
    ...rest.map(paint),
    ...(part.detail === '' ? [] : safeLines(`DETAIL: ${part.detail}`).map(style.dim)),
    ...(part.hint === '' ? [] : safeLines(`HINT: ${part.hint}`).map(style.dim)),
  ]
}

export const openResponseView = (options: ResponseOptions): ResponseView => {
  const { style, rows_max } = options
  const done: string[] = []
  let result: Result | undefined
  let copied = 0

  const push = (lines: readonly string[]): void => {
    for (const line of lines) if (done.length < lines_max) done.push(line)
  }

  const resultLines = (finished: Result): readonly string[] => {
    const columns: readonly Column[] = finished.columns.map(({ name, number }) => ({
      title: safeLine(name),
      number,
      width_min: 4,
    }))
    const shown = tableLines(columns, finished.rows, {
      width_max: options.columns,
      title: style.bold,
    })
    const hidden = finished.count - finished.rows.length
    return hidden === 0
      ? shown
      : [...shown, style.dim(`… ${hidden} more rows (--rows N shows more)`)]
  }

  const open = (): readonly string[] => [
    ...(result === undefined ? [] : resultLines(result)),
    ...(copied === 0 ? [] : [style.dim(`COPY data: ${size(copied)}`)]),
  ]

  const finish = (): void => {
    push(open())
    result = undefined
    copied = 0
  }

  return {
    add: (part) => {
      switch (part.kind) {
        case 'columns':
          finish()
          result = { columns: part.columns, rows: [], count: 0 }
          return
        case 'row':
          // A row without columns (a portal described earlier): numbered ones stand in.
          result ??= {
            columns: part.cells.map((_cell, index) => ({
              name: `column ${index + 1}`,
              number: false,
            })),
            rows: [],
            count: 0,
          }
          result.count++
          if (result.rows.length < rows_max) result.rows.push(part.cells.map(cellText))
          return
        case 'copy':
          copied += part.bytes
          return
        case 'complete':
          finish()
          push([style.dim(cut(safeLine(part.tag), 200))])
          return
        case 'error':
        case 'notice':
          finish()
          push(messageLines(part, style))
          return
        case 'note':
          push([style.dim(safeLine(part.text))])
      }
    },
    lines: () => [...done, ...open()],
  }
}
