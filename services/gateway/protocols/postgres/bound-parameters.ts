import { decodeBinary, type TextReader } from '#core/postgres/binary-values.ts'
import type { WireParameter } from './frontend-messages.ts'
import type { RecordedParameter } from './prepared.ts'
import { cutText } from './statement.ts'

/**
 * Parameters of a Bind as they are recorded. The values of one command together take at most `bytes_max`; what is cut shows by
 * `value_bytes`, which always tells the length on the wire.
 */
export const readParameters = (
  buffer: Buffer,
  parameters: readonly WireParameter[],
  oids: readonly number[],
  read: TextReader,
  bytes_max: number,
): readonly RecordedParameter[] => {
  const recorded: RecordedParameter[] = []
  let left = bytes_max
  for (let i = 0; i < parameters.length; i++) {
    const { binary, start, length } = parameters[i]!
    const type_oid = oids[i] ?? 0
    const kept = Math.min(length, left)
    left -= Math.max(kept, 0)
    recorded.push({
      type_oid,
      format: binary ? 'binary' : 'text',
      value:
        start === -1 ? null : valueText(buffer, start, length, kept, binary ? type_oid : -1, read),
      masked: false,
      value_bytes: length,
    })
  }
  return recorded
}

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
