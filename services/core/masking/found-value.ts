import { decodeBinary } from '../postgres/binary-values.ts'
import { maskedText, type Method } from './method.ts'
import type { Finds, Scanner } from './scanner.ts'
import { array_elements, kindOf, valueMask, type MaskValue, type ValueKind } from './typed-value.ts'

/**
 * What detectors find in values, masked in its place: the rest of a text stays. Where a part cannot be replaced without breaking the value (a
 * number, a JSON number, an array of numbers, a composite), the whole value is masked as its type wants it (typed-value.ts).
 */

/** A detector of a rule, with what the rule does to its finds. */
export type FoundRule = { readonly rule: string; readonly method: Method }

/** Told which rule masked something. */
export type Counted = (rule: string) => void

/** Types in which nothing that a detector looks for can stand. */
const never = new Set([
  16, 26, 28, 29, 600, 601, 602, 603, 604, 628, 650, 718, 774, 790, 829, 869, 1000, 1082, 1083,
  1114, 1115, 1182, 1183, 1184, 1185, 1186, 1187, 1266, 1270, 1560, 1561, 1562, 1563, 2950, 2951,
])
const numbers = new Set<ValueKind>(['int2', 'int4', 'int8', 'numeric', 'float4', 'float8'])
/** Most digits of the kinds that hold few. */
const digits_max = new Map<ValueKind, number>([
  ['int2', 5],
  ['int4', 10],
  ['float4', 9],
])
const texts = new Set<ValueKind>(['text', 'char', 'json', 'jsonb'])

/** The text with each find replaced. */
export const replaceFinds = (
  bytes: Buffer,
  start: number,
  end: number,
  finds: Finds,
  rules: readonly FoundRule[],
  counted: Counted,
): Buffer => {
  const { ranges, by } = finds
  if (by.length === 1 && ranges[0] === start && ranges[1] === end) {
    // The whole value: nearly all finds are.
    const { rule, method } = rules[by[0]!]!
    counted(rule)
    return maskedText(method, bytes.subarray(start, end))
  }
  const parts: Buffer[] = []
  let at = start
  for (let index = 0; index < by.length; index++) {
    const { rule, method } = rules[by[index]!]!
    const from = ranges[index * 2]!
    const to = ranges[index * 2 + 1]!
    parts.push(bytes.subarray(at, from), maskedText(method, bytes.subarray(from, to)))
    counted(rule)
    at = to
  }
  parts.push(bytes.subarray(at, end))
  return Buffer.concat(parts)
}

const isJson = (bytes: Buffer): boolean => {
  try {
    JSON.parse(bytes.toString('utf8'))
    return true
  } catch {
    return false
  }
}

/** Masks what is found in a value. Undefined: nothing found, the value stays; null: NULL takes its place. */
export type MaskFound = (bytes: Buffer, start: number, end: number) => Buffer | null | undefined

/** Text elements of an array on the wire, each masked (array_send; see binary-values.ts). Null: not such an array. */
const maskElements = (
  bytes: Buffer,
  start: number,
  end: number,
  element: MaskFound,
): Buffer | null | undefined => {
  if (end - start < 12) return null
  const dimensions = bytes.readInt32BE(start)
  if (dimensions < 0 || dimensions > 6) return null
  let at = start + 12 + dimensions * 8
  const parts: Buffer[] = []
  let kept = start
  while (at < end) {
    if (at + 4 > end) return null
    const length = bytes.readInt32BE(at)
    const from = at + 4
    if (length < -1 || from + Math.max(length, 0) > end) return null
    at = from + Math.max(length, 0)
    const masked = length === -1 ? undefined : element(bytes, from, at)
    if (masked === undefined) continue
    const header = Buffer.alloc(4)
    header.writeInt32BE(masked?.length ?? -1)
    parts.push(bytes.subarray(kept, from - 4), header)
    if (masked !== null) parts.push(masked)
    // The flag says whether there are NULLs; a receiver that believes it must be told.
    else if (bytes.readInt32BE(start + 4) === 0) return null
    kept = at
  }
  if (parts.length === 0) return undefined
  parts.push(bytes.subarray(kept, end))
  return Buffer.concat(parts)
}

/** The masking of what detectors find in values of one type and format; null when nothing can be found in them. */
export const foundMask = (
  scanner: Scanner,
  rules: readonly FoundRule[],
  oid: number,
  binary: boolean,
  counted: Counted,
): MaskFound | null => {
  if (never.has(oid)) return null
  const kind = kindOf(oid)
  const whole = new Map<Method, MaskValue>()
  const wholly = (finds: Finds, value: Buffer): Buffer | null => {
    const { rule, method } = rules[finds.by[0]!]!
    counted(rule)
    let mask = whole.get(method)
    if (mask === undefined) whole.set(method, (mask = valueMask(method, oid, binary)))
    return mask(value)
  }
  const nulls = ({ by }: Finds): boolean => by.some((index) => rules[index]!.method.kind === 'null')

  const inText: MaskFound = (bytes, start, end) => {
    const finds = scanner.scan(bytes, start, end)
    if (finds === null) return undefined
    if (nulls(finds)) return wholly(finds, bytes.subarray(start, end))
    const replaced = replaceFinds(bytes, start, end, finds, rules, counted)
    if (kind !== 'json' && kind !== 'jsonb') return replaced
    const json = kind === 'jsonb' && binary ? replaced.subarray(1) : replaced
    return isJson(json) ? replaced : wholly(finds, bytes.subarray(start, end))
  }
  const inBytea: MaskFound = (bytes, start, end) => {
    if (binary) return inText(bytes, start, end)
    const plain = Buffer.from(bytes.toString('latin1', start + 2, end), 'hex')
    const masked = inText(plain, 0, plain.length)
    return masked && Buffer.from(`\\x${masked.toString('hex')}`, 'latin1')
  }
  /** Looked at as text, masked as a whole. */
  const inWhole =
    (decode: boolean, number: boolean): MaskFound =>
    (bytes, start, end) => {
      const value = bytes.subarray(start, end)
      const text = decode ? Buffer.from(decodeBinary(value, oid), 'utf8') : value
      const finds = scanner.scan(text, 0, text.length, number)
      return finds === null ? undefined : wholly(finds, value)
    }

  if (kind === 'bytea') return inBytea
  if (texts.has(kind)) return inText
  if (numbers.has(kind))
    return scanner.finds_in(digits_max.get(kind) ?? Infinity) ? inWhole(binary, true) : null
  if (kind !== 'array') return inWhole(false, false)
  const element = array_elements.get(oid) ?? 0
  const element_kind = kindOf(element)
  if (element_kind === 'text')
    return binary ? (bytes, start, end) => maskElements(bytes, start, end, inText) : inText
  return inWhole(binary, numbers.has(element_kind))
}
