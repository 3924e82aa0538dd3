/** Throws TypeError for a name that would have to be quoted in SQL: names of tables and columns are ours, never a client's. */
export const identifier = (name: string): string => {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new TypeError(`not an identifier: ${name}`)
  return name
}

/** A string literal of ClickHouse SQL. */
export const stringLiteral = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0')}'`
