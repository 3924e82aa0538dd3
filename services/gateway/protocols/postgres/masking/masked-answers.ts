import type { Naming } from '#core/sql/naming.ts'
import type { BackendPiece } from '../backend-frames.ts'
import type { Entry } from '../in-flight.ts'
import { backend } from '../wire.ts'
import type { ResultMask } from './column-session.ts'
import { readCopyOut, type CopyMask } from './copy-mask.ts'
import type { MaskSession } from './mask-session.ts'
import type { MaskedRows } from './masked-rows.ts'
import type { RowMask } from './row-mask.ts'
import { readRowShape, withFormats } from './row-shape.ts'

/** What does not fit ends the session: the words say what. */
type Fault = string | null

/** The answers of a masked session, message by message: each whole, with the entry that it answers. */
export interface MaskedAnswers {
  /** RowDescription or NoData: kept for the rows that follow it, now or at an Execute. */
  described(piece: BackendPiece, head: Entry | null): Fault
  row(piece: BackendPiece, head: Entry | null): Fault
  /** CopyOutResponse: the data that follows is masked by the statement's own options. */
  copyOpened(piece: BackendPiece, head: Entry | null): Fault
  copyData(piece: BackendPiece, head: Entry | null): Fault
  /** Error, notice or notification. */
  message(piece: BackendPiece, head: Entry | null): BackendPiece
}

/** Which statement of its command an entry is at. */
const statementOf = ({ command, kind }: Entry): number =>
  kind === 'query' ? (command?.statements_done ?? 0) : 0

/** What column rules say of the result that comes next. */
const resultOf = (head: Entry): ResultMask | null =>
  head.command?.mask?.results[statementOf(head)] ?? null

export const openMaskedAnswers = (
  masks: MaskSession,
  rows: MaskedRows,
  naming: () => Naming,
): MaskedAnswers => {
  /** The masking of the rows that come next, and whose they are. */
  let rowMask: RowMask | null = null
  let rowEntry: Entry | null = null
  let copyMask: CopyMask | null = null

  /** The masking of an Execute's rows: described before, in the formats that Bind asked for. */
  const masksOf = (head: Entry): RowMask | null => {
    if (rowEntry === head) return rowMask
    const { portal } = head
    const shape = portal?.prepared.shape ?? null
    const formatted = shape === null ? null : withFormats(shape, portal?.formats ?? [])
    rowEntry = head
    rowMask = formatted === null ? null : masks.rows(formatted, resultOf(head), naming())
    return rowMask
  }

  return {
    described: (piece, head) => {
      if (head === null) return null
      const shape =
        piece.type === backend.no_data ? [] : readRowShape(piece.buffer, piece.start, piece.end)
      if (shape === null) return 'the target sent a row description that is none'
      if (head.kind === 'query') {
        rowEntry = head
        rowMask = masks.rows(shape, resultOf(head), naming())
      } else if (head.asked !== null) head.asked.shape = shape
      return null
    },
    row: ({ buffer, start, end }, head) => {
      const owner = head?.command ?? null
      const mask = head === null ? null : masksOf(head)
      if (mask === null || owner === null) return 'the target sent rows that nothing describes'
      return rows.row(mask, buffer, start, end, owner)
        ? null
        : 'the target sent a row that does not fit its description'
    },
    copyOpened: ({ buffer, start, end }, head) => {
      const out = readCopyOut(buffer, start, end)
      const format = head === null ? null : (head.command?.mask?.copies[statementOf(head)] ?? null)
      const fits = out !== null && format !== null && out.binary === (format.kind === 'binary')
      if (head === null || !fits) return 'the target copies what was not asked'
      copyMask = masks.copyOut(format, out.columns, resultOf(head))
      return null
    },
    copyData: ({ buffer, start, end }, head) => {
      const owner = head?.command ?? null
      const masked = copyMask === null ? 'broken' : copyMask.mask(buffer, start, end)
      if (masked === 'broken') return 'the target sent COPY data that does not fit its statement'
      if (masked === null) rows.keep(buffer, start, end, owner)
      else rows.put(masked, owner)
      return null
    },
    message: (piece, head) => {
      const { buffer, start, end } = piece
      const masked = masks.message(buffer, start, end, head?.command?.mask ?? null)
      return masked === null ? piece : { ...piece, buffer: masked, start: 0, end: masked.length }
    },
  }
}
