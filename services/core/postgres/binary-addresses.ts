/** Binary network addresses as PostgreSQL prints them: family (2: IPv4, 3: IPv6), prefix bits, is_cidr, number of bytes, bytes. */

const ipv6Text = (bytes: Buffer): string => {
  const words = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2))
  let best = { base: -1, length: 1 }
  for (let base = 0; base < 8; base += 1) {
    let length = 0
    while (base + length < 8 && words[base + length] === 0) length += 1
    if (length > best.length) best = { base, length }
  }
  const { base, length } = best
  // An IPv4 address inside an IPv6 one is shown as such.
  const embeds =
    base === 0 &&
    (length === 6 || (length === 7 && words[7] !== 1) || (length === 5 && words[5] === 0xffff))
  const hex = (from: number, to: number): string =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(':')
  if (embeds) {
    const head = hex(length, 6)
    return `::${head}${head === '' ? '' : ':'}${bytes.subarray(12).join('.')}`
  }
  return base < 0 ? hex(0, 8) : `${hex(0, base)}::${hex(base + length, 8)}`
}

export const addressText = (bytes: Buffer): string | undefined => {
  if (bytes.length < 4) return undefined
  const [family, bits = 0, is_cidr, length] = bytes
  const size = family === 2 ? 4 : family === 3 ? 16 : -1
  if (length !== size || bytes.length !== 4 + size || bits > size * 8) return undefined
  const address = bytes.subarray(4)
  const text = size === 4 ? address.join('.') : ipv6Text(address)
  return is_cidr === 1 || bits !== size * 8 ? `${text}/${bits}` : text
}

export const macaddrText = (bytes: Buffer): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')

export const uuidText = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
