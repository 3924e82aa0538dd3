import { cut, displayWidth, pad, safeLine } from './safe-text.ts'

export type Column = {
  readonly title: string
  /** Right-aligned, never cut: numbers. */
  readonly number?: boolean
  /** Columns on the screen that it never goes below when the table has to shrink (default: its title). */
  readonly width_min?: number
}

/** Between two columns. */
const gap = '  '

/** Shares what is missing among the columns that can shrink, widest first. */
const fit = (
  wanted: readonly number[],
  columns: readonly Column[],
  width_max: number,
): readonly number[] => {
  const widths = [...wanted]
  const least = columns.map((column, index) =>
    column.number === true
      ? (wanted[index] ?? 0)
      : Math.min(wanted[index] ?? 0, column.width_min ?? displayWidth(column.title)),
  )
  let over =
    widths.reduce((sum, width) => sum + width, (widths.length - 1) * gap.length) - width_max
  while (over > 0) {
    let widest = -1
    for (const [index, width] of widths.entries())
      if (width > (least[index] ?? 0) && (widest < 0 || width > (widths[widest] ?? 0)))
        widest = index
    if (widest < 0) break
    widths[widest] = (widths[widest] ?? 1) - 1
    over--
  }
  return widths
}

/**
 * Lines of a table: a line of titles, then a line a row. Cells are made safe here, one line each; cut with an ellipsis when the
 * table would be wider than `width_max` (null: never cut, for pipes).
 */
export const tableLines = (
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { readonly width_max: number | null; readonly title?: (line: string) => string },
): readonly string[] => {
  const cells = rows.map((row) => row.map(safeLine))
  const wanted = columns.map((column, index) =>
    cells.reduce(
      (widest, row) => Math.max(widest, displayWidth(row[index] ?? '')),
      displayWidth(column.title),
    ),
  )
  const widths = options.width_max === null ? wanted : fit(wanted, columns, options.width_max)
  const line = (row: readonly string[]): string =>
    columns
      .map((column, index) => {
        const width = widths[index] ?? 0
        return pad(cut(row[index] ?? '', width), width, column.number === true ? 'right' : 'left')
      })
      .join(gap)
      .trimEnd()
  const head = line(columns.map(({ title }) => title))
  return [options.title?.(head) ?? head, ...cells.map(line)]
}
