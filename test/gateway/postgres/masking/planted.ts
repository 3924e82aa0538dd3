import { filesBelow } from '../../../support/files-below.ts'

/** Every file below a folder that holds one of the values, in text or in hex, with the value. */
export const leaksIn = async (
  folder: string,
  planted: readonly string[],
): Promise<readonly string[]> => {
  const leaked: string[] = []
  for (const [path, content] of await filesBelow(folder)) {
    for (const value of planted) {
      const bytes = Buffer.from(value)
      if (content.includes(bytes) || content.includes(bytes.toString('hex')))
        leaked.push(`${path}: ${value}`)
    }
  }
  return leaked
}

/** Values of the rows among answers, as text. */
export const rowsOf = (answers: readonly { type: string; body: Buffer }[]): string[][] =>
  answers
    .filter(({ type }) => type === 'D')
    .map(({ body }) => {
      const row: string[] = []
      let at = 2
      for (let i = 0; i < body.readUInt16BE(0); i++) {
        const length = body.readInt32BE(at)
        at += 4
        row.push(length === -1 ? 'NULL' : body.toString('utf8', at, at + length))
        at += Math.max(0, length)
      }
      return row
    })
