import load, { type PgQueryModule } from 'libpg-query/wasm/libpg-query.js'

/**
 * PostgreSQL 18's own parser (libpg_query, WebAssembly). A text that nests too deeply overflows the WebAssembly stack; the
 * instance it happened in is thrown away, never used again, and a spare takes over. The same goes for an instance whose
 * memory has grown: WebAssembly memory never shrinks.
 */
export interface SqlParser {
  /** Parses a text of one or more statements. Texts must not contain NUL (PostgreSQL would read only what is before it). */
  parse(text: string): ParseOutcome
  /** Tokens of a text, offsets in UTF-8 bytes. Undefined when it cannot be scanned. */
  scan(text: string): readonly SqlToken[] | undefined
  /** What PL/pgSQL's own compiler makes of a CREATE FUNCTION in that language: its statements as JSON. Undefined when it cannot be compiled. */
  plpgsql(text: string): unknown
  /** Memory of the instance in use; 0 while there is none. */
  memory_bytes(): number
  /** Resolves when a spare instance is ready. */
  ready(): Promise<void>
}

export type SqlToken = {
  readonly start: number
  readonly end: number
  readonly text: string
  /** Name in PostgreSQL's grammar: IDENT, SCONST, ASCII_40 for "(" ... */
  readonly tokenName: string
  /** NO_KEYWORD, or the class of the keyword that `text` is. */
  readonly keywordName: string
}

export type ParseTree = {
  readonly stmts?: readonly {
    readonly stmt?: Readonly<Record<string, unknown>>
    /** Bytes. */
    readonly stmt_location?: number
    /** Bytes; absent or 0: to the end of the text. */
    readonly stmt_len?: number
  }[]
}

export type ParseFailure = {
  readonly ok: false
  /** syntax: PostgreSQL's own message. Others: the text was not parsed, whatever it says. */
  readonly kind: 'syntax' | 'too_deep' | 'unavailable'
  readonly error: string
  /** Character (not byte) in the text, 0-based, where the error is; -1 when unknown. */
  readonly cursor: number
}

export type ParseOutcome =
  { readonly ok: true; readonly tree: ParseTree; readonly fingerprint: string } | ParseFailure

/** Instances kept ready for the moment when the one in use breaks. */
const spares_max = 2
/** An instance whose memory grew beyond this is replaced. */
const instance_bytes_max = 256 * 1024 * 1024

const withText = <T>(module: PgQueryModule, text: string, use: (address: number) => T): T => {
  const bytes = module.lengthBytesUTF8(text) + 1
  const address = module._malloc(bytes)
  if (address === 0) throw new RangeError('parser is out of memory')
  module.stringToUTF8(text, address, bytes)
  const result = use(address)
  module._free(address)
  return result
}

const takeString = (module: PgQueryModule, address: number): string => {
  const text = module.UTF8ToString(address)
  module._wasm_free_string(address)
  return text
}

/** PgQueryParseResult: { char *tree; char *stderr; PgQueryError *error }, the error's message first, its cursor fifth. */
const parseIn = (module: PgQueryModule, address: number): ParseFailure | string => {
  const result = module._wasm_parse_query_raw(address)
  if (result === 0) throw new RangeError('parser is out of memory')
  const error = module.getValue(result + 8, 'i32')
  if (error === 0) {
    const tree = module.UTF8ToString(module.getValue(result, 'i32'))
    module._wasm_free_parse_result(result)
    return tree
  }
  const message = module.getValue(error, 'i32')
  const position = module.getValue(error + 16, 'i32')
  const failure: ParseFailure = {
    ok: false,
    kind: 'syntax',
    error: message === 0 ? 'syntax error' : module.UTF8ToString(message),
    cursor: position - 1,
  }
  module._wasm_free_parse_result(result)
  return failure
}

const parseWith = (module: PgQueryModule, text: string): ParseOutcome =>
  withText(module, text, (address) => {
    const tree = parseIn(module, address)
    if (typeof tree !== 'string') return tree
    const fingerprint = takeString(module, module._wasm_fingerprint(address))
    return { ok: true, tree: JSON.parse(tree) as ParseTree, fingerprint }
  })

const scanWith = (module: PgQueryModule, text: string): readonly SqlToken[] | undefined => {
  const answer = withText(module, text, (address) => takeString(module, module._wasm_scan(address)))
  if (!answer.startsWith('{')) return undefined
  return (JSON.parse(answer) as { readonly tokens: readonly SqlToken[] }).tokens
}

/** The answer is JSON, or the words of an error. */
const compileWith = (module: PgQueryModule, text: string): unknown => {
  const answer = withText(module, text, (address) =>
    takeString(module, module._wasm_parse_plpgsql(address)),
  )
  return answer.startsWith('{') ? (JSON.parse(answer) as unknown) : undefined
}

const unavailable: ParseFailure = {
  ok: false,
  kind: 'unavailable',
  error: 'the SQL parser is starting again, try once more',
  cursor: -1,
}

/** Loads the parser and its spares. About 50 ms. */
export const loadSqlParser = async (): Promise<SqlParser> => {
  const spares: PgQueryModule[] = []
  let filling: Promise<void> | undefined
  const fill = async (): Promise<void> => {
    while (spares.length < spares_max) spares.push(await load())
    filling = undefined
  }
  let current: PgQueryModule | undefined = await load()
  const replace = (): void => {
    current = spares.pop()
    filling ??= fill()
  }
  filling = fill()
  await filling

  const guarded = <T>(run: (module: PgQueryModule) => T): T | 'too_deep' | 'unavailable' => {
    current ??= spares.pop()
    if (!current) {
      filling ??= fill()
      return 'unavailable'
    }
    const module = current
    try {
      const result = run(module)
      if (module.HEAPU8.byteLength > instance_bytes_max) replace()
      return result
    } catch {
      // Stack overflow, a trap or memory exhausted: what the instance holds can no longer be trusted.
      replace()
      return 'too_deep'
    }
  }

  return {
    parse(text) {
      const outcome = guarded((module) => parseWith(module, text))
      if (outcome === 'unavailable') return unavailable
      if (outcome !== 'too_deep') return outcome
      const error = 'the text is nested too deeply or too large to be parsed'
      return { ok: false, kind: 'too_deep', error, cursor: -1 }
    },
    scan(text) {
      const outcome = guarded((module) => scanWith(module, text))
      return typeof outcome === 'string' ? undefined : outcome
    },
    plpgsql(text) {
      if (text.includes('\0')) return undefined
      const outcome = guarded((module) => compileWith(module, text))
      return typeof outcome === 'string' ? undefined : outcome
    },
    memory_bytes: () => current?.HEAPU8.byteLength ?? 0,
    async ready() {
      await filling
    },
  }
}
