import { z } from 'zod'
import { CairnError } from '#lib/error.ts'

/** A place in a list that is ordered by time, newest first, then by id: what the next page begins behind. Opaque to clients. */
export type Place = readonly [time_us: number, session: string, command: number]

const place = z.tuple([z.int().min(0), z.string().regex(/^[0-9a-f]{64}$/), z.int().min(0)])

export const writeCursor = (at: Place): string =>
  Buffer.from(JSON.stringify(at)).toString('base64url')

/** Reads what `writeCursor` wrote. Throws CairnError('unusable_input') for anything else. */
export const readCursor = (cursor: string): Place => {
  try {
    const parsed = place.safeParse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')))
    if (parsed.success) return parsed.data
  } catch {
    // Not JSON: answered below.
  }
  throw new CairnError('unusable_input', 'the cursor is none that this API gave')
}
