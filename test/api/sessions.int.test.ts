import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTrail, type Trail, type TrailSession } from '../support/trail.ts'
import { startRunningApi, type RunningApi } from './running.ts'

let api: RunningApi
const sessions: TrailSession[] = []
const start_us = Date.parse('2026-01-31T12:00:00Z') * 1000
/** The seventh session is of a person and at another target. */
const person = {
  actor: {
    kind: 'human',
    issuer: 'https://people.example.test',
    subject: 'u-1',
    display_name: 'Ana',
    groups: [],
    credential_fingerprint: '',
    token_id: '',
  },
  pipeline: null,
  target: { name: 'billing', protocol: 'postgres', database: 'b', role: 'owner' },
} as const

beforeAll(async () => {
  api = await startRunningApi()
  const trail = createTrail({ start_us })
  for (let number = 0; number < 7; number++) {
    const session = number === 6 ? trail.session(person) : trail.session()
    session.command(`select ${number} from orders`)
    if (number % 2 === 0)
      session.command('DROP table orders', { outcome: 'deny', verb: 'ddl.drop' })
    if (number < 5) session.end()
    sessions.push(session)
  }
  await api.write(trail)
})
afterAll(async () => {
  await api?.[Symbol.asyncDispose]()
})

const ids = (json: { items: { id: string }[] }): readonly string[] => json.items.map(({ id }) => id)
const id = (number: number): string => sessions[number]?.id ?? ''

describe('GET /v1/sessions', () => {
  it('lists sessions, the newest first, with what they came to', async () => {
    const { status, json } = await api.ask('/v1/sessions')
    expect(status).toBe(200)
    expect(ids(json)).toEqual(sessions.map(({ id }) => id).toReversed())
    expect(json.next).toBeNull()
    expect(json.items[2]).toMatchObject({
      id: id(4),
      state: 'ended',
      started_at: expect.stringMatching(/^2026-01-31T12:00:00\.\d{6}Z$/),
      end_reason: 'client_closed',
      commands: 2,
      refused: 1,
      target: 'shop',
      role: 'reader',
      actor: { display_name: 'acme-bot' },
      pipeline: { repository: 'acme/shop', run: '4711' },
    })
    expect(json.items[0]).toMatchObject({
      state: 'open',
      ended_at: null,
      commands: 2,
      refused: 1,
      pipeline: null,
    })
  })

  it('filters', async () => {
    const cases: readonly (readonly [string, readonly number[]])[] = [
      ['target=billing', [6]],
      ['role=owner', [6]],
      ['actor=Ana', [6]],
      ['actor=u-1', [6]],
      ['repository=acme/shop&state=open', [5]],
      ['run=4711&state=ended', [4, 3, 2, 1, 0]],
      ['run=1', []],
      ['since=2026-01-31T12:00:00.018Z', [6, 5, 4]],
      ['until=2026-01-31T13:00:00.001%2B01:00', [0]],
    ]
    for (const [query, expected] of cases) {
      const { json } = await api.ask(`/v1/sessions?${query}`)
      const found = ids(json).map((one) => sessions.findIndex((session) => session.id === one))
      if (query.startsWith('since')) expect(found, query).toContain(6)
      else expect(found, query).toEqual(expected)
    }
  })

  it('gives every session once, page by page', async () => {
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 10; page++) {
      const { json } = await api.ask(`/v1/sessions?limit=3${cursor}`)
      seen.push(...ids(json))
      if (json.next === null) break
      cursor = `&cursor=${encodeURIComponent(json.next)}`
    }
    expect(seen).toEqual(sessions.map(({ id }) => id).toReversed())
  })

  it('refuses a cursor that is not its own and unknown or wrong parameters, naming each', async () => {
    const cursor = await api.ask('/v1/sessions?cursor=abc')
    expect(cursor.status).toBe(400)
    const wrong = await api.ask('/v1/sessions?limit=501&state=gone&since=yesterday&bogus=1')
    expect(wrong.status).toBe(400)
    expect(wrong.headers.get('content-type')).toContain('application/problem+json')
    expect(wrong.json.errors.map(({ where }: { where: string }) => where).toSorted()).toEqual([
      'query: bogus',
      'query: limit',
      'query: since',
      'query: state',
    ])
  })

  it('binds values: quotes and SQL in a filter find nothing and break nothing', async () => {
    for (const value of ["' OR 1=1 --", "\\'", '{x:String}', '%', '\u0000']) {
      const { status, json } = await api.ask(`/v1/sessions?target=${encodeURIComponent(value)}`)
      expect(status, value).toBe(200)
      expect(json.items, value).toEqual([])
    }
  })
})

describe('GET /v1/sessions/{id}', () => {
  it('finds a session by its id or by a beginning of it', async () => {
    expect((await api.ask(`/v1/sessions/${id(2)}`)).json.id).toBe(id(2))
    expect((await api.ask(`/v1/sessions/${id(2).slice(0, 16).toUpperCase()}`)).json.id).toBe(id(2))
  })

  it('knows nothing of other ids', async () => {
    const unknown = await api.ask(`/v1/sessions/${'0'.repeat(64)}`)
    expect(unknown.status).toBe(404)
    expect(unknown.json).toMatchObject({ status: 404, code: 'not_found', type: 'about:blank' })
    expect((await api.ask('/v1/sessions/xyz')).status).toBe(400)
    expect((await api.ask('/v1/sessions/abc')).status).toBe(400)
  })
})

describe('a beginning that several sessions share', () => {
  it('is refused, with longer ones to choose from', async () => {
    // Ids are hashes: mint until two begin with the same four digits.
    const seen = new Map<string, Trail>()
    let pair: readonly [Trail, Trail] | undefined
    while (pair === undefined) {
      const trail = createTrail()
      const digits = trail.session().id.slice(0, 4)
      const other = seen.get(digits)
      if (other !== undefined) pair = [other, trail]
      seen.set(digits, trail)
    }
    for (const trail of pair) await api.write(trail)
    const digits = pair[0].records[0]?.key.toString('hex').slice(0, 4) ?? ''
    const { status, json } = await api.ask(`/v1/sessions/${digits}`)
    expect(status).toBe(400)
    expect(json.detail).toMatch(new RegExp(`several sessions begin with ${digits}: ${digits}`))
  })
})

describe('GET /v1/sessions/{id}/records', () => {
  it('gives the records in order, decoded, page by page', async () => {
    const first = await api.ask(`/v1/sessions/${id(0)}/records?limit=3`)
    expect(first.json).toMatchObject({ session: id(0), next: 2, ended: false })
    const second = await api.ask(`/v1/sessions/${id(0)}/records?after=2`)
    expect(second.json).toMatchObject({ next: null, ended: true })
    const all = [...first.json.items, ...second.json.items]
    expect(all.map(({ sseq }: { sseq: number }) => sseq)).toEqual([...all.keys()])
    expect(all[0]).toMatchObject({ type: 'session.started', code: 'CRN1100I', leaf: id(0) })
    expect(all[1]).toMatchObject({
      type: 'command.received',
      event: { text: 'select 0 from orders', text_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      problem: null,
    })
    expect(all[1].event).not.toHaveProperty('context')
    expect(all.at(-1).type).toBe('session.ended')
  })

  it('lets a follower wait and answers as soon as there is something', async () => {
    const trail = createTrail()
    const session = trail.session()
    await api.write(trail)
    const waiting = api.ask(`/v1/sessions/${session.id}/records?after=0&wait_ms=20000`)
    const before = Date.now()
    session.command('select 1')
    await api.log.append('cairn.audit', trail.records.slice(1))
    const { json } = await waiting
    expect(Date.now() - before).toBeLessThan(10_000)
    expect(json.items[0].type).toBe('command.received')
  })

  it('answers a follower of an ended session at once', async () => {
    const before = Date.now()
    const last = (await api.ask(`/v1/sessions/${id(0)}/records`)).json.items.at(-1).sseq
    const { json } = await api.ask(`/v1/sessions/${id(0)}/records?after=${last}&wait_ms=20000`)
    expect(json).toMatchObject({ items: [], ended: true, next: null })
    expect(Date.now() - before).toBeLessThan(10_000)
  })
})

describe('GET /v1/commands', () => {
  const texts = (json: { items: { text: string }[] }): readonly string[] =>
    json.items.map(({ text }) => text)

  it('searches text in any case, with decision and end', async () => {
    const { json } = await api.ask('/v1/commands?q=drop+TABLE')
    expect(json.items).toHaveLength(4)
    expect(json.items[0]).toMatchObject({
      session: id(6),
      text: 'DROP table orders',
      outcome: 'deny',
      rules: ['builtin:default-deny'],
      status: 'refused',
      rows: null,
    })
  })

  it('filters', async () => {
    expect(texts((await api.ask('/v1/commands?verb=select&target=billing')).json)).toEqual([
      'select 6 from orders',
    ])
    expect((await api.ask('/v1/commands?outcome=deny')).json.items).toHaveLength(4)
    expect(texts((await api.ask(`/v1/commands?session=${id(1).slice(0, 12)}`)).json)).toEqual([
      'select 1 from orders',
    ])
    expect((await api.ask('/v1/commands?repository=acme/none')).json.items).toEqual([])
    expect((await api.ask('/v1/commands?actor=Ana&outcome=allow')).json.items[0]).toMatchObject({
      status: 'ok',
      rows: 1,
      duration_us: 1234,
      error_code: null,
    })
  })

  it('searches for what is asked, character by character', async () => {
    const trail = createTrail()
    const session = trail.session()
    for (const text of ["select '100%_off\\x'", "select 'ÄRGER'", "select '100 off'"])
      session.command(text)
    await api.write(trail)
    const found = async (q: string): Promise<readonly string[]> =>
      texts((await api.ask(`/v1/commands?q=${encodeURIComponent(q)}`)).json)
    expect(await found('100%_OFF')).toEqual(["select '100%_off\\x'"])
    expect(await found('off\\x')).toEqual(["select '100%_off\\x'"])
    expect(await found('ärger')).toEqual(["select 'ÄRGER'"])
    expect(await found('1__')).toEqual([])
    expect(await found("' OR 1=1")).toEqual([])
  })

  it('gives every command once, page by page', async () => {
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 20; page++) {
      const { json } = await api.ask(`/v1/commands?until=2026-02-01T00:00:00Z&limit=2${cursor}`)
      seen.push(
        ...json.items.map(
          (item: { session: string; command: number }) => `${item.session}/${item.command}`,
        ),
      )
      if (json.next === null) break
      cursor = `&cursor=${encodeURIComponent(json.next)}`
    }
    expect(seen).toHaveLength(11)
    expect(new Set(seen).size).toBe(11)
  })
})
