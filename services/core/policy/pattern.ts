/** Whether a text matches one of some patterns. */
export type Matcher = (text: string) => boolean

/** `*` stands for any run of characters, also none; everything else for itself, letter case included. No backtracking. */
const glob = (pattern: string): Matcher => {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return (text) => text === pattern
  const shortest = pattern.length - rest.length - 1
  return (text) => {
    if (text.length < shortest || !text.startsWith(first) || !text.endsWith(last)) return false
    const end = text.length - last.length
    let from = first.length
    for (const part of rest) {
      const found = text.indexOf(part, from)
      if (found < 0 || found + part.length > end) return false
      from = found + part.length
    }
    return from <= end
  }
}

/** Compiles patterns: one of them must match. */
export const anyOf = (patterns: readonly string[]): Matcher => {
  if (patterns.includes('*')) return () => true
  const matchers = patterns.map(glob)
  return (text) => matchers.some((matches) => matches(text))
}
