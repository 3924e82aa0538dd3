import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { identifier } from './identifier.ts'

const xmlText = (text: string): string =>
  text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`)

/**
 * The engine has one user, `default`, and this is all it may do, whoever writes the statement: nothing outside our database, and no source
 * that leaves it (file, url, s3, remote, executable, other databases). Inserts carry their data with them, so nothing needs more.
 */
const usersFile = (database: string): string => `<clickhouse>
  <users>
    <default>
      <password></password>
      <networks><ip>::1</ip><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP, TRUNCATE, OPTIMIZE ON ${database}.*</query>
        <query>GRANT SELECT ON system.parts</query>
        <query>GRANT KILL QUERY ON *.*</query>
      </grants>
    </default>
  </users>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
</clickhouse>
`

const serverFile = (users: string): string => `<clickhouse>
  <user_directories><users_xml><path>${xmlText(users)}</path></users_xml></user_directories>
</clickhouse>
`

/** Writes the engine's configuration into `folder` and returns the path of its server file. */
export const writeEngineConfig = async (folder: string, database: string): Promise<string> => {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const users = join(folder, 'users.xml')
  const server = join(folder, 'engine.xml')
  await writeFile(users, usersFile(identifier(database)), { mode: 0o600 })
  await writeFile(server, serverFile(users), { mode: 0o600 })
  return server
}
