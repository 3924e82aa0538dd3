/**
 * Startup parameters: what a client may set for its session at the target before the first command.
 *
 *     options = *(space / "-c" [space] name "=" value / "--" name "=" value)     a backslash keeps the next character
 *     name    = (letter / "_") *(letter / digit / "_" / "-" / ".")               ASCII only; "-" means "_"
 *
 * The target gets options written anew from what was understood, never the client's own bytes.
 */

export type StartupRefusal = {
  readonly reason: string
  readonly detail: string
  /** Understood, and not offered. */
  readonly unsupported?: true
}

/** What the client asked for, checked. */
export type StartupRequest = {
  readonly target: string
  /** Empty: the target's default. */
  readonly database: string
  readonly role: string
  /** What goes on to the target, names in lower case but for the ones PostgreSQL writes otherwise. */
  readonly parameters: ReadonlyMap<string, string>
  /** Every setting by lower-case name, those in `options` included. */
  readonly settings: ReadonlyMap<string, string>
  /** Run that the client says it is in (`cairn.run`); empty: it does not say. */
  readonly stated_run: string
}

/** Settings that change who acts, switch the target's own log off, or load code: never the client's. */
const forbidden = new Set([
  'role',
  'session_authorization',
  'session_replication_role',
  'session_preload_libraries',
  'local_preload_libraries',
  'shared_preload_libraries',
  'dynamic_library_path',
  'allow_system_table_mods',
  'replication',
])

/** Beginnings of the names of settings by which the target keeps its own log. */
const forbidden_prefixes = ['log_', 'logging_', 'pgaudit.'] as const

const isForbidden = (key: string): boolean =>
  forbidden.has(key) || forbidden_prefixes.some((prefix) => key.startsWith(prefix))

/** Client encodings whose characters may contain ASCII bytes: text in them could mean one thing here and another there. */
const unsafe_encodings = new Set([
  'sjis',
  'mskanji',
  'shiftjis',
  'win932',
  'windows932',
  'big5',
  'win950',
  'windows950',
  'gbk',
  'win936',
  'windows936',
  'uhc',
  'win949',
  'windows949',
  'johab',
  'gb18030',
  'shiftjis2004',
  'sjis2004',
])

/** PostgreSQL compares encoding names by their letters and digits alone. */
const encodingKey = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')

/** Whether text in this client encoding can be read without doubt. */
export const encodingIsSafe = (name: string): boolean => !unsafe_encodings.has(encodingKey(name))

const settingName = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/

/** The same as it may stand in `options`, where the server reads a dash as an underscore. */
const optionName = /^[A-Za-z_][A-Za-z0-9_.-]*$/

/** White space as the server splits at it (isspace in the C locale); JavaScript's own has more. */
const optionSpace = ' \t\n\v\f\r'

/** Splits `options` as the server does: at ASCII white space, a backslash keeping the next character. */
const splitOptions = (options: string): string[] => {
  const words: string[] = []
  let word: string | null = null
  for (let i = 0; i < options.length; i++) {
    const char = options[i]!
    if (optionSpace.includes(char)) {
      if (word !== null) words.push(word)
      word = null
    } else if (char === '\\' && i + 1 < options.length) word = (word ?? '') + options[++i]!
    else word = (word ?? '') + char
  }
  if (word !== null) words.push(word)
  return words
}

/** Settings named in `options`; null when it holds anything else than settings, or anything but ASCII. */
export const readOptions = (options: string): readonly (readonly [string, string])[] | null => {
  const settings: [string, string][] = []
  // oxlint-disable-next-line no-control-regex
  if (/[^\x01-\x7f]/.test(options)) return null
  const words = splitOptions(options)
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    let setting: string
    if (word === '-c') setting = words[++i] ?? ''
    else if (word.startsWith('-c')) setting = word.slice(2)
    else if (word.startsWith('--')) setting = word.slice(2)
    else return null
    const at = setting.indexOf('=')
    if (at <= 0 || !optionName.test(setting.slice(0, at))) return null
    settings.push([setting.slice(0, at).replaceAll('-', '_'), setting.slice(at + 1)])
  }
  return settings
}

/** Writes settings as `options` that the server reads back as exactly these. */
export const writeOptions = (settings: readonly (readonly [string, string])[]): string =>
  settings
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ \t\n\v\f\r]/g, '\\$&')}`)
    .join(' ')

/** What a client can say to the gateway itself: it goes no further. */
const own_prefix = 'cairn.'
const run_setting = 'cairn.run'
const run_chars_max = 128

const settingRefusal = (name: string, value: string): StartupRefusal | null => {
  const key = name.toLowerCase()
  if (!settingName.test(name))
    return {
      reason: 'parameter_invalid',
      detail: 'a startup parameter has a name that is no setting',
    }
  if (isForbidden(key))
    return {
      reason: 'parameter_refused',
      detail: `the startup parameter "${key.slice(0, 63)}" is not the client's to set`,
    }
  if (key.startsWith(own_prefix) && key !== run_setting)
    return {
      reason: 'parameter_refused',
      detail: `the startup parameter "${key.slice(0, 63)}" is unknown; "${run_setting}" is known`,
    }
  if (key === run_setting && value.length > run_chars_max)
    return {
      reason: 'parameter_refused',
      detail: `"${run_setting}" is longer than ${run_chars_max} characters`,
    }
  if (key === 'client_encoding' && !encodingIsSafe(value))
    return {
      unsupported: true,
      reason: 'encoding_refused',
      detail: `the client encoding "${value.slice(0, 32)}" is not supported`,
    }
  return null
}

/** Values of `replication` that mean an ordinary connection. */
const noReplication = new Set(['false', 'off', 'no', '0', 'f', 'n', 'of', 'fa', 'fal', 'fals'])

/**
 * Reads what a client asks for from its startup parameters: `dbname` is `target` or `target/database`, `user` the role.
 * Refuses replication, settings that are not the client's, and `options` with anything but settings.
 */
export const readStartupRequest = (
  given: ReadonlyMap<string, string>,
): StartupRequest | StartupRefusal => {
  const role = given.get('user') ?? ''
  const name = given.get('database') ?? role
  const slash = name.indexOf('/')
  const parameters = new Map<string, string>()
  const settings = new Map<string, string>()
  if (role === '')
    return { reason: 'role_missing', detail: 'no user (the role asked for) in the startup message' }
  if (Buffer.byteLength(name) > 256 || Buffer.byteLength(role) > 63)
    return { reason: 'name_too_long', detail: 'the user or database name is too long' }
  for (const [parameter, value] of given) {
    if (parameter === 'user' || parameter === 'database') continue
    if (parameter === 'replication') {
      if (noReplication.has(value.toLowerCase())) continue
      return {
        unsupported: true,
        reason: 'replication_refused',
        detail: 'replication connections are not allowed',
      }
    }
    if (parameter === 'options') {
      const inner = readOptions(value)
      if (inner === null)
        return {
          reason: 'parameter_refused',
          detail: 'the startup parameter "options" may hold settings (-c name=value) only',
        }
      for (const [setting, text] of inner) {
        const refusal = settingRefusal(setting, text)
        if (refusal !== null) return refusal
        settings.set(setting.toLowerCase(), text)
      }
      const others = inner.filter(([setting]) => setting.toLowerCase() !== run_setting)
      if (others.length > 0) parameters.set(parameter, writeOptions(others))
    } else {
      const refusal = settingRefusal(parameter, value)
      if (refusal !== null) return refusal
      settings.set(parameter.toLowerCase(), value)
      if (parameter.toLowerCase() !== run_setting) parameters.set(parameter, value)
    }
  }
  const stated_run = settings.get(run_setting) ?? ''
  settings.delete(run_setting)
  return {
    target: slash === -1 ? name : name.slice(0, slash),
    database: slash === -1 ? '' : name.slice(slash + 1),
    role,
    parameters,
    settings,
    stated_run,
  }
}

export const isStartupRefusal = (
  request: StartupRequest | StartupRefusal,
): request is StartupRefusal => 'reason' in request
