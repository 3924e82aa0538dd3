import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig, type LoadResult } from '#lib/config/load.ts'
import { problemText } from '#lib/config/problem.ts'

/** A temporary folder with a configuration file in it, and the loader pointed at it. */
export interface Workspace extends Disposable {
  readonly folder: string
  write(name: string, content: string | Uint8Array, mode?: number): string
  load(
    content?: string | Uint8Array,
    env?: Readonly<Record<string, string>>,
    mode?: number,
  ): LoadResult
  /** Loads what must not load; one line per error. */
  errors(content: string | Uint8Array, env?: Readonly<Record<string, string>>): readonly string[]
}

export const openWorkspace = (): Workspace => {
  const folder = mkdtempSync(join(tmpdir(), 'cairn-config-'))
  const write = (name: string, content: string | Uint8Array, mode = 0o600): string => {
    const path = join(folder, name)
    writeFileSync(path, content, { mode })
    return path
  }
  const load: Workspace['load'] = (content, env = {}, mode = 0o600) =>
    loadConfig({
      ...(content === undefined ? {} : { file: write('cairn.yaml', content, mode) }),
      env,
      cwd: folder,
    })
  return {
    folder,
    write,
    load,
    errors: (content, env) => {
      const result = load(content, env)
      if (result.ok) throw new Error('the configuration was accepted')
      return result.errors.map((problem) => problemText(problem, 'cairn.yaml'))
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
