import { isAscii, isUtf8 } from 'node:buffer'
import type { TextReader } from '#core/postgres/binary-values.ts'

/**
 * Text in the client's encoding (`client_encoding`). Encodings whose characters may contain ASCII bytes are not accepted at all
 * (startup-parameters.ts); every other one agrees with ASCII on the bytes below 0x80, so that quotes and keywords are where they seem to be.
 */
export type ClientEncoding = {
  readonly name: string
  readonly read: TextReader
  /** Whether the bytes are text in this encoding. */
  readonly valid: (buffer: Buffer) => boolean
}

/** PostgreSQL's name, letters and digits only, to the name of the Encoding Standard. */
const labels: Readonly<Record<string, string>> = {
  latin2: 'iso-8859-2',
  latin3: 'iso-8859-3',
  latin4: 'iso-8859-4',
  latin6: 'iso-8859-10',
  latin7: 'iso-8859-13',
  latin8: 'iso-8859-14',
  latin9: 'iso-8859-15',
  latin10: 'iso-8859-16',
  iso88595: 'iso-8859-5',
  iso88596: 'iso-8859-6',
  iso88597: 'iso-8859-7',
  iso88598: 'iso-8859-8',
  koi8r: 'koi8-r',
  koi8u: 'koi8-u',
  win866: 'ibm866',
  win874: 'windows-874',
  win1250: 'windows-1250',
  win1251: 'windows-1251',
  win1252: 'windows-1252',
  win1253: 'windows-1253',
  win1254: 'windows-1254',
  win1255: 'windows-1255',
  win1256: 'windows-1256',
  win1257: 'windows-1257',
  win1258: 'windows-1258',
  eucjp: 'euc-jp',
  euckr: 'euc-kr',
}

const utf8: ClientEncoding = {
  name: 'UTF8',
  read: (buffer, start, end) => buffer.toString('utf8', start, end),
  valid: isUtf8,
}

const latin1: ClientEncoding = {
  name: 'LATIN1',
  read: (buffer, start, end) => buffer.toString('latin1', start, end),
  valid: () => true,
}

const decoded = (name: string, label: string): ClientEncoding => {
  const decoder = new TextDecoder(label)
  const strict = new TextDecoder(label, { fatal: true })
  return {
    name,
    read: (buffer, start, end) => {
      const bytes = buffer.subarray(start, end)
      return isAscii(bytes) ? bytes.toString('latin1') : decoder.decode(bytes)
    },
    valid: (buffer) => {
      try {
        strict.decode(buffer)
        return true
      } catch {
        return false
      }
    },
  }
}

/** Encodings without a decoder here: ASCII is read, any other byte is doubt. */
const asciiOnly = (name: string): ClientEncoding => ({ ...latin1, name, valid: isAscii })

/** The reader for a `client_encoding` as the server reports it. */
export const clientEncoding = (name: string): ClientEncoding => {
  const key = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  // SQL_ASCII: the server takes bytes as they are; nearly always they are UTF-8.
  if (key === 'utf8' || key === 'unicode' || key === 'sqlascii') return utf8
  if (key === 'latin1' || key === 'iso88591') return latin1
  const label = labels[key]
  return label === undefined ? asciiOnly(name) : decoded(name, label)
}
