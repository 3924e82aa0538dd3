import type { Ground } from './ground.ts'

/** What became of an attack. The first three are what must become of it. */
export type Outcome =
  /** It was refused, and that is recorded. */
  | 'refused'
  /** It ran, as what it is: the record has all of it. */
  | 'recorded'
  /** It ran, and what it was after came masked. */
  | 'masked'
  /** It got what it was after. */
  | 'succeeded'

export type Found = {
  readonly outcome: Outcome
  /** Where that shows: event, reason, rules. */
  readonly where: string
}

/** One row of the table. */
export type Attack = {
  /** What is tried, in words. */
  readonly attack: string
  /** Tries it on a running gateway, and looks at client, target and log for what became of it. */
  readonly how: (ground: Ground) => Promise<Found>
  /** What must become of it: one of these. */
  readonly expect: readonly Outcome[]
}

export type AttackGroup = { readonly group: string; readonly attacks: readonly Attack[] }

/** A row that went as it must, or not. */
export type Row = Found & {
  readonly group: string
  readonly attack: string
  readonly expect: readonly Outcome[]
  readonly good: boolean
}
