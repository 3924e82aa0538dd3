import type { Format } from '../format.ts'
import type { ForwardedRecord } from '../record.ts'

/**
 * Syslog messages (RFC 5424):
 *
 *     SYSLOG-MSG = <PRI>1 SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]
 *
 * MSGID is the event code, PROCID the gateway. The body is ASCII, hence MSG-ANY and no byte order
 * mark. On the wire a message is preceded by its length (RFC 6587 section 3.4.1, RFC 5425 section
 * 4.3), so that nothing in it can end it.
 */
export type SyslogSettings = {
  readonly facility: number
  readonly app_name: string
  /** Private enterprise number in the ids of structured data. */
  readonly enterprise_number: number
  readonly message_bytes_max: number
  /** HOSTNAME: the machine that forwards. */
  readonly hostname: string
  readonly format: Format
}

export type SyslogMessage = { readonly bytes: Buffer; readonly cut: boolean; readonly raw: boolean }

/**
 * Severities by the code's last letter: informational, warning, error, alert (RFC 5424, table 2).
 */
const severities: Readonly<Record<string, number>> = { I: 6, W: 4, E: 3, A: 1 }
const severity_unknown = 4

/** A value of structured data is cut at so many characters; the body has the whole of it. */
const param_chars_max = 256
/** Room for what marks a message as cut. */
const marks_bytes_max = 48
const hostname_chars_max = 64
const procid_chars_max = 64

/** PRINTUSASCII: a header field cannot hold a space, let alone a line break. */
const printable = (text: string, chars_max: number): string => {
  const clean = text.slice(0, chars_max).replace(/[^\x21-\x7e]/g, '_')
  return clean === '' ? '-' : clean
}

/**
 * PARAM-VALUE: `"`, `\` and `]` escaped (section 6.3.3); control characters and line separators
 * made visible, as \uXXXX.
 */
export const paramValue = (text: string): string =>
  text
    .slice(0, param_chars_max)
    .toWellFormed()
    .replace(
      // eslint-disable-next-line no-control-regex
      /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    .replace(/["\\\]]/g, (character) => `\\${character}`)

type Param = readonly [name: string, value: string | number | null | undefined]

const element = (id: string, params: readonly Param[]): string =>
  `[${id}${params
    .flatMap(([name, value]) =>
      value === null || value === undefined || value === ''
        ? []
        : [` ${name}="${paramValue(String(value))}"`],
    )
    .join('')}]`

/** Microseconds since the Unix epoch as RFC 5424 wants a time: six digits of a second, UTC. */
export const timestamp = (time_us: number): string => {
  const milliseconds = Math.floor(time_us / 1_000)
  // Beyond what a Date can hold no time is better than a wrong one.
  if (!(Math.abs(milliseconds) <= 8.64e15)) return '-'
  const iso = new Date(milliseconds).toISOString()
  const micros = String(((time_us % 1_000) + 1_000) % 1_000).padStart(3, '0')
  return /^\d{4}-/.test(iso) ? `${iso.slice(0, -1)}${micros}Z` : '-'
}

const runOf = (record: ForwardedRecord): readonly Param[] => {
  const pipeline = record.event?.event.context.pipeline
  return [
    ['repository', pipeline?.repository],
    ['run', pipeline?.run],
    ['job', pipeline?.job],
  ]
}

const params = (record: ForwardedRecord): readonly Param[] => {
  const context = record.event?.event.context
  const command =
    record.event !== null && 'command' in record.event.event ? record.event.event.command : null
  return [
    ['id', record.id],
    ['leaf', record.leaf],
    ['event', record.event?.type],
    ['deployment', context?.deployment],
    ['epoch', record.header?.epoch.toString('hex')],
    ['gseq', record.header?.gseq],
    ['session', record.session],
    ['sseq', record.session === null ? null : record.header?.sseq],
    ['command', command],
    ['actor', context?.actor?.subject],
    ['issuer', context?.actor?.issuer],
    ...runOf(record),
    ['target', context?.target?.name],
    ['role', context?.target?.role],
    ['raw', record.event === null ? 'true' : null],
  ]
}

/**
 * Writes records as syslog messages. `sequence` is the number of the message (RFC 5424 section
 * 7.3.1). Never throws for what a record holds.
 */
export const openSyslogWriter = (settings: SyslogSettings) => {
  const { facility, app_name, enterprise_number, message_bytes_max, format } = settings
  const id = `cairn@${enterprise_number}`
  const hostname = printable(settings.hostname, hostname_chars_max)

  const head = (severity: number, time_us: number, gateway: string, msgid: string): string =>
    `<${facility * 8 + severity}>1 ${timestamp(time_us)} ${hostname} ${app_name} ${printable(gateway, procid_chars_max)} ${printable(msgid, 32)} `

  const meta = (sequence: number): string => element('meta', [['sequenceId', sequence]])

  return {
    /**
     * A record as a message of at most `message_bytes_max` bytes; cut, with flag, whole length and
     * id, where it is longer.
     */
    record: (record: ForwardedRecord, sequence: number): SyslogMessage => {
      const severity = severities[record.code.at(-1) ?? ''] ?? severity_unknown
      const first = head(severity, record.time_us, record.gateway, record.code)
      const all = `${first}${element(id, params(record))}${meta(sequence)} `
      const raw = record.event === null
      const body = format.body(record, message_bytes_max - Buffer.byteLength(all) - marks_bytes_max)
      if (!body.cut) return { bytes: Buffer.from(`${all}${body.text}`), cut: false, raw }
      const marks: readonly Param[] = [
        ['cut', 'true'],
        ['full_bytes', body.full_bytes],
      ]
      const shown = body.text === '' ? [['id', record.id] as const] : params(record)
      const start = `${first}${element(id, [...shown, ...marks])}${meta(sequence)}`
      return { bytes: Buffer.from(`${start} ${body.text}`.trimEnd()), cut: true, raw }
    },
    /**
     * A sign of life of the forwarder: how many messages it has sent, and the last of them, so that
     * a receiver can tell what it lacks.
     */
    heartbeat: (sign: {
      readonly time_us: number
      readonly sink: string
      readonly instance: string
      readonly sequence: number
      readonly last: string
    }): Buffer => {
      const { time_us, sink, instance, sequence, last } = sign
      const data = element(id, [
        ['event', 'forward.heartbeat'],
        ['sink', sink],
        ['instance', instance],
        ['last_sequence', sequence],
        ['last', last],
      ])
      return Buffer.from(`${head(6, time_us, '', 'heartbeat')}${data}`)
    },
  }
}

/** Octet counting (RFC 6587 section 3.4.1): the message's length in bytes, a space, the message. */
export const octetCounted = (message: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${message.length} `, 'latin1'), message])
