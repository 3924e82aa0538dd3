/**
 * What a session's names (prepared statements, portals) mean, as far as the gateway can know it while answers are still on their
 * way. The client may send many messages ahead; the server skips the rest of a segment (up to the next Sync) after an error. So a
 * name has a confirmed meaning and changes that are under way, each of a segment:
 *
 * - a use in the segment of the latest change is certain: if the change is skipped, so is the use;
 * - a use in a later segment is certain only if at most one meaning can exist. Otherwise the gateway waits for the answers before it
 *   goes on, because it would have to guess what will run.
 */

/** A change of a name that the server has not confirmed. `value` null: the name goes away. */
export type NameChange<Value> = {
  readonly name: string
  readonly value: Value | null
  readonly segment: number
}

export type NameLookup<Value> =
  | { readonly found: true; readonly value: Value }
  | { readonly found: false; readonly doubt: boolean }

export interface Names<Value> {
  /** Meaning of a name for a use in `segment`. `doubt`: wait for the answers that are due, then ask again. */
  lookup(name: string, segment: number): NameLookup<Value>
  /** No change is due whose failure would leave a use in `segment` with another meaning. */
  settled(name: string, segment: number): boolean
  /** Registers a change that goes to the server; settle it when the answer comes. Changes settle in the order they were made. */
  change(name: string, value: Value | null, segment: number): NameChange<Value>
  /** The server did it (true) or skipped it or failed (false). */
  settle(change: NameChange<Value>, done: boolean): void
  /** Forgets confirmed meanings, all of them. */
  clear(): void
  /** Forgets the confirmed meaning of one name. */
  forget(name: string): void
  /** Every name with a confirmed or a coming meaning. */
  names(): string[]
  /** How many those are. */
  readonly size: number
}

export const openNames = <Value>(): Names<Value> => {
  const confirmed = new Map<string, Value>()
  const coming = new Map<string, NameChange<Value>[]>()

  return {
    lookup: (name, segment) => {
      const changes = coming.get(name)
      const known = confirmed.get(name)
      if (changes === undefined)
        return known === undefined ? { found: false, doubt: false } : { found: true, value: known }
      const latest = changes[changes.length - 1]!
      if (latest.segment === segment)
        return latest.value === null
          ? { found: false, doubt: false }
          : { found: true, value: latest.value }
      const possible = new Set<Value>()
      if (known !== undefined) possible.add(known)
      for (const change of changes) if (change.value !== null) possible.add(change.value)
      if (possible.size > 1) return { found: false, doubt: true }
      const [only] = possible
      return only === undefined ? { found: false, doubt: false } : { found: true, value: only }
    },
    settled: (name, segment) => (coming.get(name)?.at(-1)?.segment ?? segment) === segment,
    change: (name, value, segment) => {
      const change = { name, value, segment }
      const changes = coming.get(name)
      if (changes === undefined) coming.set(name, [change])
      else changes.push(change)
      return change
    },
    settle: (change, done) => {
      const changes = coming.get(change.name)
      const at = changes?.indexOf(change) ?? -1
      if (changes === undefined || at === -1) return
      if (changes.length === 1) coming.delete(change.name)
      else changes.splice(at, 1)
      if (!done) return
      if (change.value === null) confirmed.delete(change.name)
      else confirmed.set(change.name, change.value)
    },
    clear: () => confirmed.clear(),
    forget: (name) => {
      confirmed.delete(name)
    },
    names: () => [...new Set([...confirmed.keys(), ...coming.keys()])],
    get size() {
      return confirmed.size + coming.size
    },
  }
}
