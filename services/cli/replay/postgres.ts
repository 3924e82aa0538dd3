import {
  createBackendDecoder,
  type BackendMessage,
  type Field,
  type NoticeFields,
} from '#core/postgres/backend-messages.ts'
import { decodeBinary } from '#core/postgres/binary-values.ts'
import type { CommandReceived } from './events.ts'
import type { ResponseColumn, ResponsePart } from './response.ts'

/** Reads a command's response bytes as they stand in its chunks, in order. Keeps what a chunk left unfinished. */
export type ResponseDecoder = (bytes: Buffer) => readonly ResponsePart[]

/** Decoders for the commands of one PostgreSQL session: a statement described once is executed by later commands. */
export interface PostgresReplay {
  decoder(received: CommandReceived): ResponseDecoder
}

/** Prepared statements whose columns are remembered. */
const described_max = 1000

/** Largest message that is shown, bytes: a larger row is named and passed over. */
const message_bytes_max = 4 * 1024 * 1024

type Column = {
  readonly name: string
  readonly type_oid: number
  /** `unknown`: the statement was described before a Bind chose the format. */
  readonly format: 'text' | 'binary' | 'unknown'
}

/** Types whose columns are shown right-aligned: integers, floats, numeric, oid, money. */
const number_oids: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 790, 1700])

const responseColumn = ({ name, type_oid }: Column): ResponseColumn => ({
  name,
  number: number_oids.has(type_oid),
})

const hasControls = (bytes: Buffer): boolean =>
  bytes.some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)

const isText = (bytes: Buffer): boolean => {
  if (hasControls(bytes)) return false
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

const cellText = (bytes: Buffer, column: Column | undefined): string => {
  const format = column?.format ?? 'unknown'
  // Without the format, what reads as text is text: binary numbers and times of ordinary size hold zero bytes.
  const binary = format === 'binary' || (format === 'unknown' && !isText(bytes))
  return binary ? decodeBinary(bytes, column?.type_oid ?? 0) : bytes.toString('utf8')
}

const noticePart = (kind: 'error' | 'notice', fields: NoticeFields): ResponsePart => ({
  kind,
  severity: fields['V'] ?? fields['S'] ?? kind.toUpperCase(),
  code: fields['C'] ?? '',
  message: fields['M'] ?? '',
  detail: fields['D'] ?? '',
  hint: fields['H'] ?? '',
})

const columnsOf = (fields: readonly Field[], bound: boolean): readonly Column[] =>
  fields.map(({ name, type_oid, format }) => ({
    name,
    type_oid,
    format: bound ? format : 'unknown',
  }))

/** Opens the decoders of a session. */
export const openPostgresReplay = (): PostgresReplay => {
  const described = new Map<string, readonly Column[]>()
  const remember = (statement: string, columns: readonly Column[]): void => {
    described.delete(statement)
    described.set(statement, columns)
    const [oldest] = described.keys()
    if (described.size > described_max && oldest !== undefined) described.delete(oldest)
  }

  return {
    decoder: ({ statement_name, kind }) => {
      const decode = createBackendDecoder({ message_bytes_max })
      // A simple query brings its own description; an execution may rely on one that came before.
      let columns = kind === 'query' ? undefined : described.get(statement_name)
      let announced = false
      let statement_described = false

      const row = (values: readonly (Buffer | null)[]): readonly ResponsePart[] => {
        const cells = values.map((value, index) =>
          value === null ? null : cellText(value, columns?.[index]),
        )
        const head: readonly ResponsePart[] =
          announced || columns === undefined || columns.length !== cells.length
            ? []
            : [{ kind: 'columns', columns: columns.map(responseColumn) }]
        announced = true
        return [...head, { kind: 'row', cells }]
      }

      const part = (message: BackendMessage): readonly ResponsePart[] => {
        switch (message.type) {
          case 'row_description': {
            // Behind a ParameterDescription it describes a statement, whose results have no format yet.
            columns = columnsOf(message.fields, !statement_described)
            if (kind !== 'query') remember(statement_name, columns)
            if (statement_described) return []
            announced = true
            return [{ kind: 'columns', columns: columns.map(responseColumn) }]
          }
          case 'parameter_description':
            statement_described = true
            return []
          case 'data_row':
            return row(message.values)
          case 'command_complete':
            announced = false
            return [{ kind: 'complete', tag: message.tag }]
          case 'error':
          case 'notice':
            return [noticePart(message.type, message.fields)]
          case 'copy_data':
            return [{ kind: 'copy', bytes: message.data.length }]
          case 'notification':
            return [
              {
                kind: 'note',
                text: `notification on ${message.channel}: ${message.payload}`,
              },
            ]
          case 'function_result':
            return [
              {
                kind: 'note',
                text: `function result: ${message.value === null ? 'NULL' : cellText(message.value, undefined)}`,
              },
            ]
          case 'portal_suspended':
            return [{ kind: 'note', text: 'row limit reached; the portal waits' }]
          case 'empty_query':
            return [{ kind: 'note', text: 'empty query' }]
          case 'skipped':
            return message.why === 'too_large'
              ? [{ kind: 'note', text: `a message of ${message.bytes} bytes is not shown` }]
              : []
          case 'malformed':
            return [
              { kind: 'note', text: `the recorded bytes cannot be read on: ${message.detail}` },
            ]
          case 'copy_response':
          case 'copy_done':
          case 'ready':
          case 'parameter_status':
          case 'parse_complete':
          case 'bind_complete':
          case 'close_complete':
          case 'no_data':
            break
        }
        return []
      }
      return (bytes) => decode.push(bytes).flatMap(part)
    },
  }
}
