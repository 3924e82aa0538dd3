import { describe, expect, it } from 'vitest'
import { catalogue } from '#core/events/catalogue.ts'
import { decodeValue } from '#core/events/codec.ts'
import { decodeHeader } from '#core/events/header.ts'
import { eventJson } from '#core/events/json.ts'
import { runText, type ApiRecord } from '../../../services/cli/api-data.ts'
import { openReplayView } from '../../../services/cli/replay/view.ts'
import { openStyle } from '../../../services/cli/terminal/style.ts'
import {
  commandComplete,
  copyData,
  createTrail,
  dataRow,
  notice,
  parameterDescription,
  rowDescription,
  type Trail,
} from '../../support/trail.ts'

/** The trail's records as the API gives them. */
const asApi = (trail: Trail): readonly ApiRecord[] =>
  trail.records.map((record) => {
    const header = decodeHeader(record.headers['cairn-leaf'] ?? Buffer.alloc(0))
    const value = decodeValue(record.value)
    if (!header.ok || !value.ok) throw new Error('the test minted something unreadable')
    const { time, context: _context, ...event } = eventJson(value.type, value.event)
    return {
      sseq: header.header.sseq,
      type: value.type,
      code: catalogue[value.type].code,
      time_us: Number(time),
      event: JSON.parse(JSON.stringify(event)) as ApiRecord['event'],
      problem: null,
    }
  })

const replay = (
  records: readonly ApiRecord[],
  options: { readonly rows_max?: number; readonly columns?: number } = {},
): string => {
  const view = openReplayView({
    style: openStyle(false),
    columns: options.columns ?? null,
    rows_max: options.rows_max ?? 20,
  })
  return records.flatMap((record) => view.add(record)).join('\n')
}

const dangerous = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u

describe('the run behind a session', () => {
  const pipeline = {
    provider: 'github',
    repository: 'acme/shop',
    ref: 'refs/heads/main',
    workflow: 'acme/shop/.github/workflows/deploy.yml@refs/heads/main',
    run: '7',
    triggering_user: '',
  }

  it('is named in a few words', () => {
    expect(runText(pipeline)).toBe('acme/shop deploy.yml #7')
    expect(runText({ ...pipeline, workflow: 'nightly', run: '' })).toBe('acme/shop nightly')
    expect(runText(null)).toBe('')
  })
})

describe('the replay of a session', () => {
  it('shows command, decision, parameters, rows and how it ended', () => {
    const trail = createTrail()
    const session = trail.session()
    session.command('select status,\n  count(*) from orders where country = $1', {
      kind: 'execute',
      parameters: [{ type_oid: 25, format: 'text', value: 'DE', masked: false, value_bytes: 2 }],
      response: Buffer.concat([
        rowDescription([{ name: 'status' }, { name: 'count', oid: 20 }]),
        dataRow(['new', '7']),
        dataRow([null, '1234']),
        commandComplete('SELECT 2'),
      ]),
      rows: 2,
    })
    session.end()
    const text = replay(asApi(trail))
    expect(text).toContain('#1  allowed by nightly-report-reads')
    expect(text).toContain('  select status,\n    count(*) from orders where country = $1')
    expect(text).toContain("  $1 = 'DE'")
    expect(text).toContain(
      '  status  count\n  new         7\n  NULL     1234\n  SELECT 2\n  ok · 2 rows',
    )
    expect(text).toContain('session ended: client_closed')
  })

  it('shows at most as many rows as asked for and says how many more there are', () => {
    const trail = createTrail()
    const rows = Array.from({ length: 30 }, (_, index) => dataRow([`row-${index}`]))
    trail.session().command('select x from t', {
      response: Buffer.concat([
        rowDescription([{ name: 'x' }]),
        ...rows,
        commandComplete('SELECT 30'),
      ]),
    })
    const text = replay(asApi(trail), { rows_max: 3 })
    expect(text).toContain('row-2')
    expect(text).not.toContain('row-3\n')
    expect(text).toContain('27 more rows')
  })

  it('shows a refusal with the rules that said so and the words the client got', () => {
    const trail = createTrail()
    trail.session().command('drop table orders', { outcome: 'deny' })
    const text = replay(asApi(trail))
    expect(text).toContain('REFUSED by builtin:default-deny')
    expect(text).toContain('drop table orders')
    expect(text).toContain('refused: 42501 refused by policy')
  })

  it('shows errors and notices with detail and hint', () => {
    const trail = createTrail()
    trail.session().command('select nope', {
      response: Buffer.concat([
        notice('N', { S: 'NOTICE', V: 'NOTICE', C: '00000', M: 'look here' }),
        notice('E', { S: 'ERROR', V: 'ERROR', C: '42703', M: 'no column', H: 'try another' }),
      ]),
      error: { code: '42703', message: 'no column' },
    })
    const text = replay(asApi(trail))
    expect(text).toContain('NOTICE: look here')
    expect(text).toContain('ERROR 42703: no column\n  HINT: try another')
    expect(text).toContain('error · ')
  })

  it('shows COPY by its size, not its data', () => {
    const trail = createTrail()
    trail.session().command('copy t to stdout', {
      response: Buffer.concat([copyData(Buffer.alloc(1500, 0x61)), commandComplete('COPY 3')]),
    })
    const text = replay(asApi(trail))
    expect(text).toContain('COPY data: 1.5 kB')
    expect(text).not.toContain('aaaa')
  })

  it('decodes binary values, also when the statement was described before', () => {
    const trail = createTrail()
    const session = trail.session()
    const seven = Buffer.from([0, 0, 0, 7])
    session.command('select n from t', {
      kind: 'execute',
      response: Buffer.concat([
        rowDescription([{ name: 'n', oid: 23, binary: true }]),
        dataRow([seven]),
        commandComplete('SELECT 1'),
      ]),
    })
    session.command('select m from t', {
      kind: 'describe',
      statement_name: 's1',
      response: Buffer.concat([parameterDescription([]), rowDescription([{ name: 'm', oid: 23 }])]),
    })
    session.command('select m from t', {
      kind: 'execute',
      statement_name: 's1',
      response: Buffer.concat([dataRow([Buffer.from([0, 0, 1, 0])]), commandComplete('SELECT 1')]),
    })
    const text = replay(asApi(trail))
    expect(text).toContain('  n\n  7\n')
    expect(text).toMatch(/ {2} {0,2}m\n {2}256\n/)
  })

  it('puts a response together from chunks that are cut anywhere', () => {
    const trail = createTrail()
    const session = trail.session()
    const id = session.add('command.received', {
      text: 'select 1',
      text_bytes: 8,
      text_sha256: Buffer.alloc(32),
      kind: 'query',
      native: ['Query'],
      verb: 'select',
      fingerprint: '',
      statements: [],
      statement_name: '',
      portal_name: '',
      parameters: [],
      row_limit: 0,
      parse_error: '',
      pure_read: true,
      masked: [],
    })
    const bytes = Buffer.concat([
      rowDescription([{ name: 'word' }]),
      dataRow(['whole']),
      commandComplete('SELECT 1'),
    ])
    for (const [offset, byte] of bytes.entries())
      session.add('response.chunk', {
        command: id,
        stream: 'rows',
        format: 'pg3',
        offset,
        bytes: Buffer.from([byte]),
        masked: [],
      })
    session.end()
    expect(replay(asApi(trail))).toContain('  word\n  whole\n  SELECT 1\n  no end recorded')
  })

  it('sends nothing of the session to the terminal as a control character', () => {
    const evil = '\x1b]52;c;cm0gLXJmIC8=\x07\x1b[2J\r\u{202e}\u{9b}8m\u{2028}\x00'
    const trail = createTrail()
    const session = trail.session()
    session.command(`select '${evil}'`, {
      kind: 'execute',
      parameters: [{ type_oid: 25, format: 'text', value: evil, masked: false, value_bytes: 9 }],
      response: Buffer.concat([
        rowDescription([{ name: evil.replaceAll('\0', '') }]),
        dataRow([evil]),
        notice('N', { S: evil.replaceAll('\0', ''), C: '\x1b[1m', M: evil.replaceAll('\0', '') }),
        commandComplete(evil.replaceAll('\0', '')),
      ]),
    })
    session.add('session.ended', {
      reason: 'client_closed',
      detail: evil,
      commands: 1,
      refused: 0,
      records: 6,
      client_bytes: 0,
      target_bytes: 0,
      duration_us: 1,
    })
    for (const line of replay(asApi(trail), { columns: 80 }).split('\n'))
      expect(dangerous.test(line), JSON.stringify(line)).toBe(false)
  })

  it('says where records are missing, are there twice, or cannot be read', () => {
    const trail = createTrail()
    const session = trail.session()
    session.command('select 1')
    session.end()
    const records = asApi(trail)
    expect(replay(records)).not.toMatch(/MISSING|TWICE/)
    expect(replay(records.filter(({ sseq }) => sseq !== 2))).toContain(
      'MISSING: 1 record before #3',
    )
    expect(replay([...records.slice(0, 2), ...records.slice(1)])).toContain('TWICE')
    const broken = records.with(1, { ...records[1]!, problem: 'bad_body', event: {} })
    expect(replay(broken)).toContain('#1 cannot be read: bad_body')
  })

  it('survives records whose fields are not what they should be', () => {
    const odd = [
      'command.received',
      'decision.made',
      'response.chunk',
      'command.completed',
      'session.ended',
      'what.ever',
    ]
    const records = odd.map((type, sseq): ApiRecord => ({
      sseq,
      type,
      code: 'CRN0000I',
      time_us: Number.NaN,
      event: { command: 0, parameters: [null, 7, { value: 3 }], bytes: 5, rules: 'x', text: {} },
      problem: null,
    }))
    expect(() => replay(records)).not.toThrow()
  })
})
