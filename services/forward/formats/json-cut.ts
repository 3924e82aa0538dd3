import type { JsonObject } from '#core/events/json.ts'
import { asciiJson } from './ascii-json.ts'

/**
 * Cutting an event that is too large for a message, so that it stays JSON and every field stays in
 * its place: the longest strings give first, down to one common length. Where even that is too
 * large (thousands of parameters), what identifies the record stays.
 */

/** Fields that are never cut: without them a cut message could not be found again in the trail. */
const kept = new Set([
  'id',
  'code',
  'type',
  'time',
  'epoch',
  'gseq',
  'sseq',
  'leaf',
  'session',
  'cut',
  'full_bytes',
])

const stringBytes = (text: string): number => asciiJson(text).length - 2

const strings = (value: unknown): readonly string[] => {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : []
}

/** The largest length to which all may be cut so that together they take no more than `room`. */
const commonLength = (lengths: readonly number[], room: number): number => {
  const ascending = [...lengths].sort((a, b) => a - b)
  let left = room
  for (const [at, length] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - at))
    if (length > share) return Math.max(share, 0)
    left -= length
  }
  return Number.MAX_SAFE_INTEGER
}

/** The beginning of a string that takes no more than `bytes_max` in ASCII JSON. */
const cutString = (text: string, bytes_max: number): string => {
  if (stringBytes(text) <= bytes_max) return text
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += stringBytes(character)
    if (bytes > bytes_max) break
    end += character.length
  }
  return text.slice(0, end)
}

const mapStrings = (value: unknown, change: (text: string) => string): unknown => {
  if (typeof value === 'string') return change(value)
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, mapStrings(item, change)]),
  )
}

/**
 * The object as ASCII JSON of at most `bytes_max` bytes; empty if not even what identifies it fits.
 */
export const cutToFit = (object: JsonObject, bytes_max: number): string => {
  const names = Object.keys(object)
  const head = Object.fromEntries(
    names.filter((name) => kept.has(name)).map((name) => [name, object[name]]),
  )
  const rest = Object.fromEntries(
    names.filter((name) => !kept.has(name)).map((name) => [name, object[name]]),
  )
  const empty = asciiJson({ ...head, ...(mapStrings(rest, () => '') as JsonObject) }).length
  const lengths = strings(rest).map(stringBytes)
  if (empty <= bytes_max) {
    const length = commonLength(lengths, bytes_max - empty)
    const cut = mapStrings(rest, (text) => cutString(text, length)) as JsonObject
    return asciiJson({ ...head, ...cut })
  }
  const identity = asciiJson(head)
  return identity.length <= bytes_max ? identity : ''
}
