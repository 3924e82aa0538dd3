/**
 * Confluent wire format: every value in the log begins with five bytes.
 *
 *     value = %x00 schema-id avro-body        ; schema-id: int32, big-endian
 */
export const frame_bytes = 5

/** Writes the frame at `at`; the caller has made room. */
export const writeFrame = (target: Buffer, at: number, schemaId: number): void => {
  target[at] = 0
  target.writeUInt32BE(schemaId, at + 1)
}

/** The schema id of a value, or null when the value is not framed so. */
export const readFrame = (value: Buffer): number | null =>
  value.length >= frame_bytes && value[0] === 0 ? value.readUInt32BE(1) : null
