import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cut,
  displayWidth,
  pad,
  safeJson,
  safeLine,
  safeLines,
} from '../../../services/cli/terminal/safe-text.ts'

/** What no terminal may get from us: controls, direction marks, line separators, lone surrogates, private use. */
const dangerous = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u

describe('text for a terminal', () => {
  it('writes escape sequences out instead of sending them', () => {
    expect(safeLine('\x1b]0;owned\x07 \x1b[2J \x9b31m')).toBe(
      String.raw`\x1b]0;owned\x07 \x1b[2J \x9b31m`,
    )
  })

  it('shows carriage returns, backspaces and line ends inside a line', () => {
    expect(safeLine('drop table x\r-- select 1\b\b\n')).toBe(
      String.raw`drop table x\r-- select 1\x08\x08\n`,
    )
  })

  it('shows characters that turn the direction of text or take no room', () => {
    expect(safeLine('a\u{202e}b\u{200b}c\u{feff}\u{2028}\u{e0041}')).toBe(
      String.raw`a\u{202e}b\u{200b}c\u{feff}\u{2028}\u{e0041}`,
    )
  })

  it('leaves letters of every script and emoji as they are', () => {
    const text = 'naïve Ωμέγα 漢字 עברית 👍 é'
    expect(safeLine(text)).toBe(text)
  })

  it('lets nothing dangerous through, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(dangerous.test(safeLine(text))).toBe(false)
        for (const line of safeLines(text)) expect(dangerous.test(line)).toBe(false)
      }),
    )
  })

  it('keeps the lines of a longer text and turns tabs into spaces', () => {
    expect(safeLines('select 1,\r\n\t2\nfrom\x1bx')).toEqual([
      'select 1,',
      '    2',
      String.raw`from\x1bx`,
    ])
  })

  it('gives JSON that is safe to look at and still the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const text = safeJson(value)
        expect(dangerous.test(text)).toBe(false)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
    expect(safeJson('\u{9b}\u{202e}\u{7f}')).toBe(String.raw`"\u009b\u202e\u007f"`)
  })
})

describe('width on a terminal', () => {
  it('counts wide characters twice and combining marks not at all', () => {
    expect(displayWidth('abc')).toBe(3)
    expect(displayWidth('漢字')).toBe(4)
    expect(displayWidth('e\u{301}')).toBe(1)
  })

  it('cuts with an ellipsis and never takes more room than there is', () => {
    expect(cut('abcdef', 6)).toBe('abcdef')
    expect(cut('abcdefg', 6)).toBe('abcde…')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (text, columns) => {
        expect(displayWidth(cut(safeLine(text), columns))).toBeLessThanOrEqual(columns)
      }),
    )
  })

  it('fills on either side', () => {
    expect(pad('漢', 4)).toBe('漢  ')
    expect(pad('7', 3, 'right')).toBe('  7')
  })
})
