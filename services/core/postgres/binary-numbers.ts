/** Binary numbers as PostgreSQL prints them (float8send, numeric_send ... of src/backend/utils/adt). Undefined: not such a value. */

type Decimal = { readonly negative: boolean; readonly digits: string; readonly exponent: number }

/** Shortest digits of a float as d.ddd x 10^exponent. */
const decimalOf = (exponential: string): Decimal => {
  const negative = exponential.startsWith('-')
  const [mantissa = '', exponent = '0'] = exponential.slice(negative ? 1 : 0).split('e')
  return { negative, digits: mantissa.replace('.', ''), exponent: Number(exponent) }
}

/** Fixed notation from 1e-4 up to a power of ten that differs between float4 and float8; else the exponent has two digits or more. */
const printed = ({ negative, digits, exponent }: Decimal, fixed_below: number): string => {
  const sign = negative ? '-' : ''
  if (exponent < -4 || exponent >= fixed_below) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
    const power = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${power}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  const fraction = digits.slice(exponent + 1)
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

const special = (value: number): string | undefined => {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  return undefined
}

const float8_fixed_below = 15
const float4_fixed_below = 6
const float4_digits_max = 9

const float8 = new DataView(new ArrayBuffer(8))
const two_to_53 = 2 ** 53
/** Above this no decimal of 17 digits or less lies in the middle between two floats: 5^k would not fit. */
const ties_below = 1e40

/**
 * JavaScript's shortest digits may lie in the very middle between two floats, which reads back right by the rule for ties. PostgreSQL's
 * do not. Only integers from 2^53 on can be so few digits and so exactly in the middle.
 */
const isTie = (value: number, text: string): boolean => {
  const magnitude = Math.abs(value)
  if (magnitude < two_to_53 || magnitude >= ties_below) return false
  float8.setFloat64(0, magnitude)
  const bits = float8.getBigUint64(0)
  const gap = 2n ** ((bits >> 52n) - 1075n)
  const { digits, exponent } = decimalOf(text)
  const decimal = BigInt(digits.padEnd(exponent + 1, '0').slice(0, exponent + 1))
  const distance = decimal - BigInt(magnitude)
  // Below a power of two floats are twice as close.
  const is_power = (bits & 0xfffffffffffffn) === 0n
  if (distance < 0n) return -distance * (is_power ? 4n : 2n) === gap
  return distance * 2n === gap
}

const float8_digits_max = 17

export const float8Text = (value: number): string => {
  const name = special(value)
  if (name !== undefined) return name
  let text = value.toExponential()
  for (let digits = decimalOf(text).digits.length; digits < float8_digits_max; digits += 1) {
    if (!isTie(value, text)) break
    text = value.toExponential(digits)
  }
  return printed(decimalOf(text), float8_fixed_below)
}

const float4 = new DataView(new ArrayBuffer(4))

/** Whether a number lies in the middle between this 4-byte float and one of its neighbours. */
const isTie4 = (value: number, decimal: number): boolean => {
  float4.setFloat32(0, value)
  const bits = float4.getUint32(0)
  return [-1, 1].some((step) => {
    float4.setUint32(0, bits + step)
    return (value + float4.getFloat32(0)) / 2 === decimal
  })
}

/** More digits than any 4-byte float needs to tell a tie between two decimals from its neighbourhood. */
const float4_exact_digits = 100

/** The two decimals of so many digits around a float, the nearer first, the even one when both are as near. */
const around = (exact: Decimal, digits: number): readonly string[] => {
  const head = Number(exact.digits.slice(0, digits))
  const tail = exact.digits.slice(digits)
  const half = '5'.padEnd(tail.length, '0')
  const up = tail > half || (tail === half && head % 2 === 1)
  const shift = exact.exponent - digits + 1
  return (up ? [head + 1, head] : [head, head + 1]).map((integer) => `${integer}e${shift}`)
}

export const float4Text = (value: number): string => {
  const name = special(value)
  if (name !== undefined) return name
  const magnitude = Math.abs(value)
  const exact = decimalOf(magnitude.toExponential(float4_exact_digits))
  let shortest = magnitude.toExponential(float4_digits_max - 1)
  for (let digits = 1; digits < float4_digits_max; digits += 1) {
    const text = around(exact, digits).find((candidate) => {
      const decimal = Number(candidate)
      return Math.fround(decimal) === magnitude && !isTie4(magnitude, decimal)
    })
    if (text !== undefined) {
      shortest = Number(text).toExponential()
      break
    }
  }
  return printed({ ...decimalOf(shortest), negative: value < 0 }, float4_fixed_below)
}

const numeric_specials = new Map([
  [0xc000, 'NaN'],
  [0xd000, 'Infinity'],
  [0xf000, '-Infinity'],
])

/** int16 digits, int16 weight of the first, uint16 sign, uint16 shown scale, then digits of base 10,000. */
export const numericText = (bytes: Buffer): string | undefined => {
  if (bytes.length < 8) return undefined
  const count = bytes.readUInt16BE(0)
  const weight = bytes.readInt16BE(2)
  const sign = bytes.readUInt16BE(4)
  const scale = bytes.readUInt16BE(6)
  if (bytes.length !== 8 + count * 2) return undefined
  const name = numeric_specials.get(sign)
  if (name !== undefined) return name
  if (sign !== 0 && sign !== 0x4000) return undefined
  const group = (index: number): string => {
    const inside = index >= 0 && index < count
    return String(inside ? bytes.readUInt16BE(8 + index * 2) : 0).padStart(4, '0')
  }
  for (let index = 0; index < count; index += 1)
    if (bytes.readUInt16BE(8 + index * 2) > 9999) return undefined
  const whole: string[] = []
  for (let index = 0; index <= weight; index += 1) whole.push(group(index))
  const fraction: string[] = []
  for (let index = weight + 1; fraction.length * 4 < scale; index += 1) fraction.push(group(index))
  const integer = whole.join('').replace(/^0+(?=\d)/, '') || '0'
  const shown = fraction.join('').slice(0, scale)
  return `${sign === 0 ? '' : '-'}${integer}${shown === '' ? '' : `.${shown}`}`
}

/** int32 number of bits, then the bits, first one highest. */
export const bitsText = (bytes: Buffer): string | undefined => {
  if (bytes.length < 4) return undefined
  const count = bytes.readInt32BE(0)
  if (count < 0 || bytes.length !== 4 + Math.ceil(count / 8)) return undefined
  let text = ''
  for (const byte of bytes.subarray(4)) text += byte.toString(2).padStart(8, '0')
  return text.slice(0, count)
}
