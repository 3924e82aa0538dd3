import type { SqlUnparsed } from './analysis.ts'

/** An ErrorResponse's fields: what the server would say, said by the gateway. */
export type NativeRefusal = {
  /** SQLSTATE. */
  readonly code: string
  readonly message: string
  /** Field P: character in the text, 1-based; 0 for none. */
  readonly position: number
  readonly hint: string
}

const native: Readonly<
  Record<SqlUnparsed['kind'], { readonly code: string; readonly hint: string }>
> = {
  syntax: { code: '42601', hint: '' },
  // statement_too_complex
  limit: {
    code: '54001',
    hint: 'Send it in smaller statements, or with bound parameters in place of literals.',
  },
  // insufficient_resources
  unavailable: { code: '53000', hint: 'Nothing was run.' },
}

/**
 * The refusal of a text that cannot be parsed. The gateway never forwards it, so whoever mistyped sees the syntax error from here,
 * with the server's own words, code and position.
 */
export const refusalOf = ({ kind, error, position }: SqlUnparsed): NativeRefusal => ({
  ...native[kind],
  message: error,
  position: kind === 'syntax' ? position : 0,
})
