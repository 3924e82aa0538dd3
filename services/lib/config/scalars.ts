import { z } from 'zod'
import { secretOf } from './secret.ts'

/** The building blocks of the schema: each says its unit and its bounds, so that an error can repeat them. */

const byte_units: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
}
const bytes_form = 'expected bytes, for example 67108864 or "64MiB" (B, KiB, MiB, GiB, TiB)'
const bytes_pattern = /^(\d{1,15})\s?(B|KiB|MiB|GiB|TiB)$/

const bytesOf = (text: string): number => {
  const [, digits = '', unit = ''] = bytes_pattern.exec(text) ?? []
  return Number(digits) * (byte_units[unit] ?? Number.NaN)
}

/** Byte count as it stands in the configuration: 67108864 or "64MiB". Comes out as a number of bytes. */
export const bytes = (range: { readonly min: number; readonly max: number }, doc: string) =>
  z
    .union([z.int().nonnegative(), z.string().regex(bytes_pattern, { error: bytes_form })], {
      error: bytes_form,
    })
    .transform((value) => (typeof value === 'number' ? value : bytesOf(value)))
    .refine((value) => value >= range.min && value <= range.max, {
      error: `expected ${range.min} to ${range.max} bytes`,
    })
    .meta({ description: `${doc} Bytes, ${range.min} to ${range.max}.` })

/** Whole number with bounds; the unit stands in the key's name. */
export const whole = (min: number, max: number, doc: string) =>
  z
    .int({ error: `expected a whole number, ${min} to ${max}` })
    .min(min, { error: `expected a whole number, ${min} to ${max}` })
    .max(max, { error: `expected a whole number, ${min} to ${max}` })
    .describe(doc)

/** Port to listen on; 0 takes any free one. */
export const listenPort = (doc: string) => whole(0, 65_535, `${doc} 0 takes any free port.`)

/** Port to connect to. */
export const remotePort = (doc: string) => whole(1, 65_535, doc)

/** A name that other parts of the file refer to. Kept to characters that are safe in a database name, a path and a metric. */
export const name = (doc: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
      error: 'expected 1 to 63 letters, digits, ".", "_" or "-", beginning with a letter or digit',
    })
    .describe(doc)

/** Reference to names, each exact or with `*` for any run of characters. */
export const namePatterns = (doc: string) =>
  z
    .array(
      z.string().regex(/^[A-Za-z0-9*][A-Za-z0-9*._-]{0,62}$/, {
        error: 'expected a name, "*" standing for any run of characters',
      }),
    )
    .max(1000)
    .describe(doc)

/** Text of bounded length that is not empty. */
export const text = (doc: string, length_max = 1024) =>
  z.string().min(1).max(length_max).describe(doc)

/** Host name or address. */
export const host = (doc: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_.:%-]{1,255}$/, { error: 'expected a host name or an IP address' })
    .describe(doc)

/** Path of a file; relative to the configuration file's folder (to the working folder if there is none). */
export const path = (doc: string) =>
  z
    .string()
    .min(1)
    .max(4096)
    .meta({
      description: `${doc} Relative paths start at the configuration file's folder.`,
      format: 'path',
    })

/** A secret: the loader resolves `${env:NAME}` and `${file:PATH}` before; what comes out never prints. */
export const secret = (doc: string) =>
  z
    .string()
    .min(1)
    .max(65_536)
    .transform((value) => secretOf(value))
    .meta({
      description: `${doc} Better \${file:PATH} or \${env:NAME} than a literal.`,
      writeOnly: true,
    })

/** One text or a list of them; comes out as a list. */
export const textOrList = (doc: string) =>
  z
    .union([z.string().min(1).max(1024), z.array(z.string().min(1).max(1024)).min(1).max(1000)], {
      error: 'expected a text or a list of texts',
    })
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .describe(doc)

/** Expected claims: name to value or list of values (any of them), `*` standing for any run of characters. */
export const claimPatterns = (doc: string) => {
  const one = z.union([z.string().max(1024), z.int(), z.boolean()])
  return z
    .record(
      z.string().min(1).max(256),
      z
        .union([one, z.array(one).min(1).max(1000)], {
          error: 'expected a value or a list of values',
        })
        .transform((value) => (Array.isArray(value) ? value : [value]).map(String)),
    )
    .describe(doc)
}
