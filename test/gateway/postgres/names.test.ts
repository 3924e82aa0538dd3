import { describe, expect, it } from 'vitest'
import { openNames } from '../../../services/gateway/protocols/postgres/names.ts'

const found = (value: string) => ({ found: true, value })
const missing = { found: false, doubt: false }
const doubt = { found: false, doubt: true }

describe('what a name means while answers are due', () => {
  it('a change counts at once for uses in its own segment', () => {
    const names = openNames<string>()
    names.change('s', 'a', 1)
    expect(names.lookup('s', 1)).toEqual(found('a'))
    names.change('s', null, 1)
    expect(names.lookup('s', 1)).toEqual(missing)
  })

  it('in a later segment a name that can mean only one thing is certain', () => {
    const names = openNames<string>()
    names.change('s', 'a', 1)
    expect(names.lookup('s', 2)).toEqual(found('a'))
  })

  it('in a later segment a name that can mean two things is in doubt', () => {
    const names = openNames<string>()
    names.settle(names.change('s', 'a', 1), true)
    const closed = names.change('s', null, 2)
    const parsed = names.change('s', 'b', 2)
    expect(names.lookup('s', 2)).toEqual(found('b'))
    expect(names.lookup('s', 3)).toEqual(doubt)
    names.settle(closed, true)
    names.settle(parsed, true)
    expect(names.lookup('s', 3)).toEqual(found('b'))
  })

  it('what the server skipped did not happen', () => {
    const names = openNames<string>()
    names.settle(names.change('s', 'a', 1), true)
    const closed = names.change('s', null, 2)
    const parsed = names.change('s', 'b', 2)
    names.settle(closed, false)
    names.settle(parsed, false)
    expect(names.lookup('s', 3)).toEqual(found('a'))
  })

  it('settling twice changes nothing', () => {
    const names = openNames<string>()
    const change = names.change('s', 'a', 1)
    names.settle(change, false)
    names.settle(change, true)
    expect(names.lookup('s', 2)).toEqual(missing)
    expect(names.size).toBe(0)
  })

  it('clearing forgets what is confirmed, not what is under way', () => {
    const names = openNames<string>()
    names.settle(names.change('old', 'a', 1), true)
    names.change('new', 'b', 2)
    names.clear()
    expect(names.lookup('old', 2)).toEqual(missing)
    expect(names.lookup('new', 2)).toEqual(found('b'))
    expect(names.names()).toEqual(['new'])
  })
})
