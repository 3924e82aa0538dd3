import type { DatabaseRoleConfig } from '#lib/config/schema.ts'

/** SQL that makes the role of one session (chapter "Database Roles"). Names and words are quoted here and nowhere else. */

/** A name as SQL takes it whatever is in it. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A text constant; with a backslash in the escape form, which means the same whatever standard_conforming_strings says. */
export const quoteLiteral = (text: string): string => {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** Longest comment on a role, characters. */
const comment_length_max = 200

const controls = /\p{Cc}/gu

/** What administrators of the target read beside the role: who is behind it. */
const commentOf = (actor: string, gateway: string): string =>
  `Cairn session role, made by ${gateway} for ${actor}`
    .toWellFormed()
    .replace(controls, '?')
    .slice(0, comment_length_max)
    .toWellFormed()

export type NewRole = {
  readonly name: string
  /** SCRAM-SHA-256 verifier: the password itself stands in no statement, and so in no log of the target. */
  readonly verifier: string
  /** Seconds since 1970. */
  readonly valid_until_s: number
  readonly database: string
  readonly actor: string
  readonly gateway: string
}

const placeholder = /\{(role|database)\}/g

/** A grant of the configuration with its names in place. */
const grant = (template: string, role: NewRole): string =>
  template.replace(placeholder, (_match, what: string) =>
    quoteIdentifier(what === 'role' ? role.name : role.database),
  )

/** Settings are names of PostgreSQL's own or of extensions: `statement_timeout`, `myapp.tenant`. */
const quoteSetting = (name: string): string => name.split('.').map(quoteIdentifier).join('.')

/** One statement each, for one transaction. */
export const createRole = (
  role: NewRole,
  config: Pick<DatabaseRoleConfig, 'member_of' | 'grants' | 'settings' | 'connections_max'>,
): readonly string[] => {
  const name = quoteIdentifier(role.name)
  const until = new Date(role.valid_until_s * 1000).toISOString()
  const groups = config.member_of.map(quoteIdentifier).join(', ')
  return [
    `create role ${name} login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls` +
      ` connection limit ${config.connections_max} password ${quoteLiteral(role.verifier)}` +
      ` valid until ${quoteLiteral(until)}${groups === '' ? '' : ` in role ${groups}`}`,
    `comment on role ${name} is ${quoteLiteral(commentOf(role.actor, role.gateway))}`,
    ...Object.entries(config.settings).map(
      ([setting, value]) =>
        `alter role ${name} set ${quoteSetting(setting)} to ${quoteLiteral(value)}`,
    ),
    ...config.grants.map((template) => grant(template, role)),
  ]
}
