import type { CommandReceived } from '#core/events/types.ts'
import type { MaskedCounts } from './masking/mask-counts.ts'
import type { RowShape } from './masking/row-shape.ts'
import type { Names } from './names.ts'
import type { StatementText } from './statement.ts'

/** A recorded parameter. */
export type RecordedParameter = CommandReceived['parameters'][number]

/** A prepared statement: what Parse (or SQL's PREPARE) named. */
export type Prepared = {
  readonly name: string
  /** As it was parsed, or as it was read again since. */
  statement: StatementText
  /** Parameter types: as declared by Parse, then as the server described them; 0 unknown. */
  oids: readonly number[]
  /** Columns of its result, once the server described them; all in text. A server never lets them change. */
  shape: RowShape | null
  /** The session's disturbances when it was parsed. */
  readonly age: number
}

/** A portal: a statement with its parameters, as Bind made it. */
export type Portal = {
  readonly name: string
  readonly prepared: Prepared
  /** What was bound: names mean what they meant then. */
  readonly statement: StatementText
  readonly parameters: readonly RecordedParameter[]
  /** What was masked in the parameters. */
  readonly masked: MaskedCounts
  /** Formats that Bind asks for: none, one for all columns, or one for each; true is binary. */
  readonly formats: readonly boolean[]
  /** Secrets among the parameters: never recorded. */
  readonly secrets: readonly string[]
  /** The statement's name certainly meant this statement when it was bound. */
  readonly proven: boolean
  /** The session's disturbances when it was bound. */
  readonly age: number
  /** Where its names were looked up then: it keeps what they meant. Undefined: not known. */
  readonly search_path: readonly string[] | undefined
}

/** Whether the names of a portal still mean what they meant when it was bound. */
export const keepsPath = (portal: Portal, search_path: readonly string[] | undefined): boolean =>
  portal.search_path === search_path ||
  (portal.search_path !== undefined &&
    JSON.stringify(portal.search_path) === JSON.stringify(search_path))

/**
 * Whether a name certainly means what the gateway knows of it. Triggers, rules and functions may PREPARE, DEALLOCATE, DECLARE and CLOSE:
 * after anything but a pure read no name made before is certain. A change whose answer is due is certain only for uses that
 * would be skipped with it. The unnamed ones are out of reach of SQL.
 */
export const isCertain = <Value extends { readonly name: string; readonly age: number }>(
  state: { readonly disturbances: number; readonly segment: number },
  names: Names<Value>,
  value: Value,
): boolean =>
  value.name === '' ||
  (value.age === state.disturbances && names.settled(value.name, state.segment))
