import { readFileSync, statSync } from 'node:fs'
import type { ConfigProblem } from './problem.ts'

/** Largest file of a configuration or of policies. */
const config_bytes_max = 1024 * 1024

export type TextFile =
  | {
      readonly ok: true
      readonly text: string
      readonly bytes: Buffer
      /** Everyone on this machine can read it. */
      readonly world_readable: boolean
    }
  | { readonly ok: false; readonly error: ConfigProblem }

const decode = (bytes: Uint8Array): string | { readonly bad_line: number } => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    // The first line that does not decode alone: UTF-8 never hides a line feed inside a character.
    let line = 1
    let start = 0
    for (;;) {
      const end = bytes.indexOf(0x0a, start)
      try {
        new TextDecoder('utf-8', { fatal: true }).decode(
          bytes.subarray(start, end === -1 ? bytes.length : end),
        )
      } catch {
        return { bad_line: line }
      }
      if (end === -1) return { bad_line: line }
      start = end + 1
      line += 1
    }
  }
}

const failed = (message: string): TextFile => ({ ok: false, error: { path: '', message } })

/** Reads a file that people write: UTF-8, at most a megabyte. The error says which file and why. */
export const readTextFile = (file: string): TextFile => {
  let bytes: Buffer
  let world_readable: boolean
  try {
    const stat = statSync(file)
    if (!stat.isFile()) return failed(`${file} is not a file`)
    if (stat.size > config_bytes_max)
      return failed(`${file} is larger than ${config_bytes_max} bytes`)
    bytes = readFileSync(file)
    world_readable = (stat.mode & 0o004) !== 0
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    return failed(code === 'ENOENT' ? `${file} does not exist` : `${file} cannot be read (${code})`)
  }
  const text = decode(bytes)
  if (typeof text === 'string') return { ok: true, text, bytes, world_readable }
  const error = { path: '', message: 'not UTF-8 text', line: text.bad_line, column: 1 }
  return { ok: false, error }
}
