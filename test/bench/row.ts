/** One measured case beside its reference in the same run: the ratio is what counts, absolute figures vary by machine. */
export type Row = {
  readonly case: string
  /** What is counted: operations, commands, MB ... */
  readonly unit?: string
  readonly per_second: number
  /** The case it is compared with; absent for a reference itself. */
  readonly reference?: string
  /** per_second over the reference's per_second. */
  readonly ratio?: number
  /** Further figures of the case, for example cpu_us or p99_ms. */
  readonly figures?: Readonly<Record<string, number>>
}

export type Bench = { readonly name: string; readonly run: () => Promise<readonly Row[]> }
