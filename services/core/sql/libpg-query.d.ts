/** The WebAssembly module inside `libpg-query`, as its Emscripten loader makes it. Addresses are bytes in its memory. */
declare module 'libpg-query/wasm/libpg-query.js' {
  export interface PgQueryModule {
    readonly HEAPU8: Uint8Array
    _malloc(bytes: number): number
    _free(address: number): void
    _wasm_parse_query_raw(text: number): number
    _wasm_free_parse_result(result: number): void
    _wasm_fingerprint(text: number): number
    _wasm_scan(text: number): number
    _wasm_parse_plpgsql(text: number): number
    _wasm_free_string(text: number): void
    getValue(address: number, type: 'i32'): number
    lengthBytesUTF8(text: string): number
    stringToUTF8(text: string, address: number, bytes_max: number): void
    UTF8ToString(address: number): string
  }

  const load: () => Promise<PgQueryModule>
  export default load
}
