import { decodeBinary, type TextReader } from '#core/postgres/binary-values.ts'
import { namesSecret, redactValue } from '#core/sql/redaction.ts'
import type { WireParameter } from './frontend-messages.ts'
import { joinCounts, no_masks, type MaskedCounts } from './masking/mask-counts.ts'
import type { HiddenValue } from './masking/hidden-value.ts'
import type { RecordedParameter } from './prepared.ts'
import { cutText } from './statement.ts'

export type BoundParameters = {
  readonly parameters: readonly RecordedParameter[]
  /** What was replaced: never recorded. */
  readonly secrets: readonly string[]
  readonly masked: MaskedCounts
}

const no_secrets: readonly never[] = []
const secrets_max = 64

/** Shorter ones would be found everywhere. */
const isMaskable = (secret: string): boolean => Buffer.byteLength(secret) >= 4

/**
 * Parameters of a Bind as they are recorded. The values of one command together take at most `bytes_max`; what is cut shows by
 * `value_bytes`, which always tells the length on the wire. Values of a text with secret parameters, and those after a value that names a
 * secret (`set_config($1, $2, ...)`), go as a whole; of a connection string goes the password. What `masks` hides is looked for in the whole
 * value, before it is cut.
 */
export const readParameters = (
  buffer: Buffer,
  parameters: readonly WireParameter[],
  oids: readonly number[],
  read: TextReader,
  bytes_max: number,
  secret: boolean,
  masks: ParameterMask | null,
): BoundParameters => {
  const recorded: RecordedParameter[] = []
  const secrets: string[] = []
  let masked = no_masks
  let hidden = secret
  let left = bytes_max
  for (let i = 0; i < parameters.length; i++) {
    const { binary, start, length } = parameters[i]!
    const type_oid = oids[i] ?? 0
    const kept = Math.min(length, left)
    left -= Math.max(kept, 0)
    const oid = binary ? type_oid : -1
    const under = start === -1 ? null : (masks?.(buffer, start, length, i + 1, oid, read) ?? null)
    const read_value =
      start === -1
        ? null
        : under === null
          ? valueText(buffer, start, length, kept, oid, read)
          : under.text && cutText(under.text, kept)
    const redacted = read_value === null || hidden ? null : redactValue(read_value)
    if (hidden && read_value !== null) secrets.push(read_value)
    else if (redacted !== null) secrets.push(...redacted.secrets)
    if (under !== null) {
      secrets.push(...under.secrets)
      masked = joinCounts(masked, under.masked)
    }
    recorded.push({
      type_oid,
      format: binary ? 'binary' : 'text',
      value: hidden ? null : (redacted?.text ?? read_value),
      masked: (hidden && read_value !== null) || redacted !== null || under !== null,
      value_bytes: length,
    })
    hidden ||= read_value !== null && namesSecret(read_value)
  }
  return {
    parameters: recorded,
    secrets: secrets.length === 0 ? no_secrets : secrets.filter(isMaskable).slice(0, secrets_max),
    masked,
  }
}

/** A value without its masks, null when nothing in it is masked; `oid` -1: text format. Numbers as in `$1`. */
export type ParameterMask = (
  buffer: Buffer,
  start: number,
  length: number,
  number: number,
  oid: number,
  read: TextReader,
) => HiddenValue | null

/** `oid` -1: text format. A value that is too long is shown as far as there is room. */
const valueText = (
  buffer: Buffer,
  start: number,
  length: number,
  kept: number,
  oid: number,
  read: TextReader,
): string => {
  const bytes = buffer.subarray(start, start + kept)
  if (oid === -1) {
    const text = read(bytes, 0, bytes.length).toWellFormed()
    return kept === length ? text : cutText(text.replace(/\ufffd+$/, ''), kept)
  }
  // Hex and digits take more room than the bytes; half of a decimal says nothing, so a cut value is shown as bytes.
  return decodeBinary(bytes, kept === length ? oid : 0, read).toWellFormed()
}
