import { readErrorFields } from '../errors.ts'
import { header_bytes } from '../wire.ts'
import type { CommandMask } from './command-mask.ts'

/**
 * Classes of SQLSTATE (appendix "PostgreSQL Error Codes") whose texts quote names, the statement or the server's own state, and no values of tables, as
 * long as the command reads none: 08 connection, 0A not supported, 25 transaction state, 26 and 34 names of statements and cursors, 28
 * authorization, 3D and 3F names, 40 rollback, 42 syntax and access rule, 53 to 58 resources, limits, state, operator, system, F0 configuration.
 */
const telling_nothing = new Set([
  '08',
  '0A',
  '0B',
  '25',
  '26',
  '28',
  '34',
  '3B',
  '3D',
  '3F',
  '40',
  '42',
  '53',
  '54',
  '55',
  '57',
  '58',
  'F0',
])

export const withheld_words = 'the text is withheld: it may hold values of masked columns'

/**
 * What of an error or notice is withheld in a session with column rules: every text; detail, context and internal query, which may quote rows; or
 * nothing. Deferred checks and triggers quote what the command never named, and COPY FROM STDIN its data.
 */
export const withheldOf = (
  buffer: Buffer,
  start: number,
  end: number,
  mask: CommandMask | null,
): 'texts' | 'context' | 'nothing' => {
  if (mask?.harmless === true) return 'nothing'
  if (mask !== null && (mask.touches || mask.inputs.length > 0)) return 'texts'
  const { code } = readErrorFields(buffer, start + header_bytes, end)
  return telling_nothing.has(code.slice(0, 2)) ? 'context' : 'texts'
}
