import type { z } from 'zod'
import { knownKeys } from './json-schema.ts'
import type { ConfigProblem, Path } from './problem.ts'
import { pathText } from './problem.ts'
import type { Source } from './source.ts'
import { nearest } from './suggestion.ts'

type Issue = z.core.$ZodIssue

const kindOf = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  if (value === null) return 'nothing (null)'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a block of keys'
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`
}

const words: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a block of keys',
  record: 'a block of keys',
}

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (node, key) => (node !== null && typeof node === 'object' ? Reflect.get(node, key) : undefined),
    value,
  )

/** Schema messages of our own begin like this; the library's do not. */
const own_message = /^expected /

const messageOf = (issue: Issue, found: unknown, written: unknown): string => {
  if (own_message.test(issue.message)) {
    const plain = typeof found === 'string' || typeof found === 'number'
    if (found === undefined) return `is missing: ${issue.message}`
    return plain ? issue.message : `${issue.message}; found ${kindOf(found)}`
  }
  switch (issue.code) {
    case 'invalid_type':
      return found === undefined
        ? 'is missing'
        : `expected ${words[issue.expected] ?? issue.expected}, found ${kindOf(found)}`
    case 'invalid_value': {
      const choices = issue.values.map(String)
      const near =
        typeof written === 'string' && !written.includes('${')
          ? nearest(written, choices)
          : undefined
      const hint = near === undefined ? '' : `; did you mean ${near}?`
      return found === undefined
        ? `is missing: one of ${choices.join(', ')}`
        : `expected one of ${choices.join(', ')}${hint}`
    }
    case 'too_small':
      return issue.origin === 'array'
        ? `expected at least ${issue.minimum} entries`
        : `expected at least ${issue.minimum} characters`
    case 'too_big':
      return issue.origin === 'array'
        ? `expected at most ${issue.maximum} entries`
        : `expected at most ${issue.maximum} characters`
    case 'invalid_format':
      return 'has the wrong form'
    default:
      return issue.message
  }
}

/** Turns what the schema found into problems with lines; `value` is the plain value the schema looked at. Never prints a value.
 * `known_keys` are those of the schema at a path. */
export const explain = (
  issues: readonly Issue[],
  value: unknown,
  source: Source | undefined,
  known_keys: (path: Path) => readonly string[] = knownKeys,
): readonly ConfigProblem[] =>
  issues.flatMap((issue): ConfigProblem[] => {
    const path = issue.path.filter((key) => typeof key !== 'symbol')
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => {
        const known = known_keys(path)
        const near = nearest(key, known)
        const hint =
          near === undefined ? `; known here: ${known.join(', ')}` : `; did you mean ${near}?`
        const place = source?.placeOfKey(path, key)
        return { ...place, path: pathText([...path, key]), message: `unknown key${hint}` }
      })
    }
    const found = valueAt(value, path)
    // A missing key stands nowhere: its block's place is the nearest.
    return [
      {
        ...source?.placeOf(path),
        path: pathText(path),
        message: messageOf(issue, found, source?.writtenAt(path)),
      },
    ]
  })
