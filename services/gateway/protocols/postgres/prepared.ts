import type { CommandReceived } from '#core/events/types.ts'
import type { StatementText } from './statement.ts'

/** A recorded parameter. */
export type RecordedParameter = CommandReceived['parameters'][number]

/** A prepared statement: what Parse (or SQL's PREPARE) named. */
export type Prepared = {
  readonly name: string
  readonly statement: StatementText
  /** Parameter types: as declared by Parse, then as the server described them; 0 unknown. */
  oids: readonly number[]
}

/** A portal: a statement with its parameters, as Bind made it. */
export type Portal = {
  readonly name: string
  readonly prepared: Prepared
  readonly parameters: readonly RecordedParameter[]
  /** Secrets among the parameters: never recorded. */
  readonly secrets: readonly string[]
}
