/**
 * Avro longs: zig-zag, then seven bits a byte, lowest first (Avro specification, "Binary
 * encoding"). Numbers up to 2^53 - 1, which is what fits both a long and a JavaScript number.
 */
export const varint_bytes_max = 8

const over_32_bits = 2 ** 32

/**
 * Writes a whole number of 0 or more at `at` and returns the place behind it. Throws RangeError for
 * anything else.
 */
export const writeNatural = (target: Buffer, at: number, value: number): number => {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`expected a whole number from 0 to 2^53 - 1, got ${value}`)
  let place = at
  let low = value * 2
  if (low >= over_32_bits) {
    // Four bytes, 28 bits, so that the rest of the arithmetic stays exact in 32 bits.
    while (low >= over_32_bits) {
      target[place++] = (low % 128) | 0x80
      low = Math.floor(low / 128)
    }
  }
  low >>>= 0
  while (low >= 0x80) {
    target[place++] = (low & 0x7f) | 0x80
    low >>>= 7
  }
  target[place++] = low
  return place
}

/**
 * Where a number ends and what it is; null when it is cut off, negative, over 2^53 - 1 or not in
 * its shortest form.
 */
export const readNatural = (
  source: Buffer,
  at: number,
): { readonly value: number; readonly next: number } | null => {
  // Odd means negative; said by the first bit, as large odd numbers would be rounded to even ones
  // below.
  if (((source[at] ?? 1) & 1) === 1) return null
  let zigzag = 0
  let scale = 1
  for (let place = at; place < source.length && place < at + varint_bytes_max; place++) {
    const byte = source[place]!
    zigzag += (byte & 0x7f) * scale
    scale *= 128
    if (byte >= 0x80) continue
    const padded = byte === 0 && place > at
    const value = zigzag / 2
    return padded || !Number.isSafeInteger(value) ? null : { value, next: place + 1 }
  }
  return null
}
