import type { Command } from './command.ts'
import type { NativeError } from './errors.ts'
import type { CursorMask } from './masking/column-session.ts'
import type { NameChange, Names } from './names.ts'
import type { Portal, Prepared } from './prepared.ts'

/** What the server is expected to answer next. */
export type EntryKind =
  | 'query'
  | 'function_call'
  | 'parse'
  | 'bind'
  | 'describe'
  | 'execute'
  | 'close'
  | 'sync'
  /** CopyDone or CopyFail: no answer of its own, but the border between COPY data and what follows. */
  | 'copy_end'

/** A change of a name with the table it belongs to. */
export type PendingChange =
  | { readonly table: Names<Prepared>; readonly change: NameChange<Prepared> }
  | { readonly table: Names<Portal>; readonly change: NameChange<Portal> }
  | { readonly table: Names<CursorMask>; readonly change: NameChange<CursorMask> }

export type Entry = {
  readonly kind: EntryKind
  /** Whose answer it is; for a Sync the last command before it. */
  readonly command: Command | null
  /** Settled by the answer. */
  readonly change: PendingChange | null
  /** The statement a Describe of it asks about: its parameters are described too. */
  readonly described: Prepared | null
  /** The statement that a Describe, of it or of a portal, asks about. */
  readonly asked: Prepared | null
  /** The portal that an Execute runs. */
  readonly portal: Portal | null
  /** The gateway asked, not the client: the answer goes nowhere. */
  readonly hidden: boolean
  /** Set for an entry that stands in the place of a refused command: what the client gets for the server's error. */
  readonly refusal: NativeError | null
  /** Which batch carried it to the target. */
  readonly batch: number
  /** What is settled statement by statement of a simple query (SQL-level PREPARE, DEALLOCATE). */
  readonly statements: readonly (readonly PendingChange[])[] | null
}

/** A Sync that the gateway sends by itself, for one that the client sent. */
export const bareSync = (command: Command | null): Entry => ({
  kind: 'sync',
  command,
  change: null,
  described: null,
  asked: null,
  portal: null,
  hidden: false,
  refusal: null,
  batch: 0,
  statements: null,
})

/** Tells the table whether the server did it. */
export const settle = (pending: PendingChange, done: boolean): void => {
  ;(pending.table as Names<unknown>).settle(pending.change, done)
}

/** Messages on their way through the server, oldest first. */
export interface InFlight {
  readonly length: number
  head(): Entry | null
  /** The entry at a distance from the head. */
  at(index: number): Entry | null
  push(entry: Entry): void
  shift(): Entry | null
  /** Takes out the entry at a distance from the head. */
  remove(index: number): void
}

export const openInFlight = (): InFlight => {
  let entries: Entry[] = []
  let first = 0
  return {
    get length() {
      return entries.length - first
    },
    head: () => entries[first] ?? null,
    at: (index) => entries[first + index] ?? null,
    push: (entry) => {
      entries.push(entry)
    },
    shift: () => {
      const entry = entries[first]
      if (entry === undefined) return null
      first++
      if (first === entries.length) {
        entries = []
        first = 0
      } else if (first > 1024) {
        entries = entries.slice(first)
        first = 0
      }
      return entry
    },
    remove: (index) => {
      entries.splice(first + index, 1)
    },
  }
}
