/**
 * JSON in ASCII alone: what is not printable ASCII is written as \uXXXX, so that neither a line
 * break nor a control character nor a terminal's escape sequence of an event reaches the receiver,
 * and RFC 5424 needs no byte order mark (section 6.4: MSG-ANY).
 */
export const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
