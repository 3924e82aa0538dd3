import { describe, expect, it } from 'vitest'
import { tableLines } from '../../../services/cli/terminal/table.ts'
import { displayWidth } from '../../../services/cli/terminal/safe-text.ts'

const columns = [
  { title: 'NAME', width_min: 4 },
  { title: 'N', number: true },
  { title: 'TEXT', width_min: 6 },
]

describe('a table', () => {
  it('aligns words left and numbers right', () => {
    const lines = tableLines(
      columns,
      [
        ['a', '7', 'x'],
        ['long name', '1234', 'y'],
      ],
      { width_max: null },
    )
    expect(lines).toEqual(['NAME          N  TEXT', 'a             7  x', 'long name  1234  y'])
  })

  it('shrinks its widest columns to the width of the terminal and keeps numbers whole', () => {
    const lines = tableLines(columns, [['n'.repeat(40), '123456789', 't'.repeat(60)]], {
      width_max: 50,
    })
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(50)
    expect(lines[1]).toContain('123456789')
    expect(lines[1]).toContain('…')
  })

  it('is never cut without a terminal', () => {
    const lines = tableLines(columns, [['n'.repeat(300), '1', 't'.repeat(300)]], {
      width_max: null,
    })
    expect(lines[1]).toContain('n'.repeat(300))
    expect(lines[1]).toContain('t'.repeat(300))
  })

  it('keeps one line a row, whatever is in a cell', () => {
    const lines = tableLines(columns, [['a\nb', '1', '\x1b[31mred\r']], { width_max: null })
    expect(lines).toHaveLength(2)
    expect(lines[1]).toBe(String.raw`a\nb  1  \x1b[31mred\r`)
  })
})
