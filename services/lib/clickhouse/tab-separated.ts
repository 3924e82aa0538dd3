/**
 * Writes TabSeparated, ClickHouse's escaped text format (https://clickhouse.com/docs/interfaces/formats/TabSeparated), into one buffer that is used
 * again and again.
 *
 *     rows    = *row
 *     row     = field *(HTAB field) LF
 *     escapes = "\t" / "\n" / "\r" / "\\" / "\'"        ; every other byte stands for itself
 *
 * Why text: the embedded engine takes an insert's data behind the statement and ends it at the first empty line; what follows is run as the next
 * statement. A binary format cannot promise that two line feeds never meet, and what clients send stands in these rows. Here a line feed in a value
 * is always escaped and a row always has two columns or more, so no line is ever empty.
 */
export interface RowWriter {
  /** Bytes written since the last `cut(0)`. */
  readonly length: number
  /** A whole number from 0 to `max`; throws RangeError beyond, where the engine would wrap round. */
  uint(value: number | bigint, max: number): void
  /** A whole number, exact in a double. */
  int(value: number): void
  bool(value: boolean): void
  string(value: string): void
  bytes(value: Uint8Array): void
  /** Lowercase hex. */
  hex(value: Buffer): void
  /** DateTime64: ticks since the Unix epoch, of which a second has 10^`digits`. */
  time(ticks: number, digits: 3 | 6): void
  strings(values: readonly string[]): void
  map(values: Readonly<Record<string, string>>): void
  /** An array of tuples; each is given as its parts. */
  tuples(values: readonly (readonly TuplePart[])[]): void
  /** Fields that were written before, with the tabs behind them. */
  fields(encoded: Uint8Array): void
  /** Ends the row. */
  end(): void
  /** Forgets what was written behind `length`. */
  cut(length: number): void
  /** What was written, in memory of its own. */
  take(): Buffer
}

/** A part of a tuple: text, a number or a truth value; null for a nullable part. */
export type TuplePart = string | number | boolean | null

export const uint_max = {
  8: 0xff,
  16: 0xffff,
  32: 0xffff_ffff,
  64: Number.MAX_SAFE_INTEGER,
} as const

const tab = 9
const line_feed = 10
const backslash = 92

/** What stands behind the backslash, by byte; 0 for bytes that need none. */
const escapes = new Uint8Array(256)
for (const [byte, escape] of [
  [tab, 't'],
  [line_feed, 'n'],
  [13, 'r'],
  [backslash, '\\'],
] as const)
  escapes[byte] = escape.charCodeAt(0)

const special = /[\t\n\r\\]/
const special_quoted = /[\t\n\r\\']/g
const textual: Readonly<Record<string, string>> = {
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\\': '\\\\',
  "'": "\\'",
}

const escaped = (value: string): string =>
  special.test(value) ? value.replace(/[\t\n\r\\]/g, (one) => textual[one] ?? one) : value

const quoted = (value: string): string =>
  `'${value.replace(special_quoted, (one) => textual[one] ?? one)}'`

const part = (value: TuplePart): string => {
  if (value === null) return 'NULL'
  return typeof value === 'string' ? quoted(value) : String(value)
}

/** Seconds are formatted once for all the ticks within them. */
const openSeconds = () => {
  let last = Number.NaN
  let text = ''
  return (second: number): string => {
    if (second === last) return text
    text = new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ')
    last = second
    return text
  }
}

/** Opens a writer with room for `capacity` bytes to begin with. */
export const openTabSeparated = (capacity = 64 * 1024): RowWriter => {
  let buffer = Buffer.allocUnsafeSlow(capacity)
  let at = 0
  const secondText = openSeconds()

  const room = (bytes: number): void => {
    if (at + bytes <= buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, at + bytes))
    buffer.copy(larger, 0, 0, at)
    buffer = larger
  }

  // Fields gather in a string, which is written in one go before bytes come or the row ends: a call into the buffer per field costs more.
  let pending = ''

  const flush = (): void => {
    if (pending === '') return
    // A UTF-16 unit becomes three bytes at most.
    room(pending.length * 3)
    at += buffer.write(pending, at, 'utf8')
    pending = ''
  }

  /** Text without anything to escape. */
  const plain = (value: string): void => {
    pending += value
    pending += '\t'
  }

  const bytes = (value: Uint8Array): void => {
    flush()
    room(value.length * 2 + 1)
    const target = buffer
    let place = at
    for (const byte of value) {
      const escape = escapes[byte]!
      if (escape === 0) target[place++] = byte
      else {
        target[place++] = backslash
        target[place++] = escape
      }
    }
    target[place++] = tab
    at = place
  }

  return {
    get length() {
      flush()
      return at
    },
    uint: (value, max) => {
      if (typeof value === 'number' && (!Number.isInteger(value) || value < 0 || value > max))
        throw new RangeError(`expected a whole number from 0 to ${max}, got ${value}`)
      plain(value.toString())
    },
    int: (value) => {
      if (!Number.isSafeInteger(value))
        throw new RangeError(`expected a whole number, got ${value}`)
      plain(value.toString())
    },
    bool: (value) => plain(value ? 'true' : 'false'),
    string: (value) => plain(escaped(value)),
    bytes,
    hex: (value) => plain(value.toString('hex')),
    time: (ticks, digits) => {
      const scale = digits === 3 ? 1_000 : 1_000_000
      const second = Math.floor(ticks / scale)
      const fraction = String(ticks - second * scale).padStart(digits, '0')
      plain(`${secondText(second)}.${fraction}`)
    },
    strings: (values) => plain(`[${values.map(quoted).join(',')}]`),
    map: (values) => {
      // Sorted, so that the same map is always the same row.
      const names = Object.keys(values).sort()
      plain(`{${names.map((name) => `${quoted(name)}:${quoted(values[name] ?? '')}`).join(',')}}`)
    },
    tuples: (values) =>
      plain(`[${values.map((parts) => `(${parts.map(part).join(',')})`).join(',')}]`),
    fields: (encoded) => {
      flush()
      room(encoded.length)
      buffer.set(encoded, at)
      at += encoded.length
    },
    end: () => {
      flush()
      buffer[at - 1] = line_feed
    },
    cut: (length) => {
      pending = ''
      at = length
    },
    take: () => {
      flush()
      return Buffer.from(buffer.subarray(0, at))
    },
  }
}
