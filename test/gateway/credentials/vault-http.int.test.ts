import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { configSchema } from '#lib/config/schema.ts'
import { openVaultHttp } from '../../../services/gateway/credentials/vault/http.ts'

/** What no healthy vault does: standbys, proxies, trouble, malice. */

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const serve = async (handler: Handler): Promise<string> => {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const open = async (url: string, more: Readonly<Record<string, unknown>> = {}) => {
  const { vaults } = configSchema.parse({
    vaults: [{ name: 'main', url, auth: { token: 'hunter2secret' }, timeout_ms: 500, ...more }],
  })
  const http = await openVaultHttp(vaults[0]!)
  closing.unshift(() => Promise.resolve(http[Symbol.dispose]()))
  return http
}

const request = (more: { readonly signal?: AbortSignal } = {}) =>
  ({
    method: 'GET',
    path: 'secret/data/a',
    token: 'hunter2secret',
    signal: new AbortController().signal,
    ...more,
  }) as const

const answer = (response: ServerResponse, status: number, body: string): void => {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(body)
}

const failureOf = async (sending: Promise<unknown>): Promise<string> =>
  String(await sending.catch((error: unknown) => error))

describe('requests to a vault', () => {
  it('carry token and namespace, and bring back status and JSON', async () => {
    const seen: unknown[] = []
    const url = await serve((incoming, response) => {
      const { headers, url: path, method } = incoming
      seen.push([method, path, headers['x-vault-token'], headers['x-vault-namespace']])
      answer(response, 404, '{"errors":[]}')
    })
    const http = await open(url, { namespace: 'team/a' })
    expect(await http.send(request())).toEqual({ status: 404, body: { errors: [] } })
    expect(seen).toEqual([['GET', '/v1/secret/data/a', 'hunter2secret', 'team/a']])
  })

  it.each([412, 429, 472, 473, 500, 502, 503, 504])(
    'are tried again after a %i, a bounded number of times',
    async (status) => {
      let count = 0
      const url = await serve((_incoming, response) => {
        count++
        if (count < 3) answer(response, status, status === 502 ? '<html>' : '{}')
        else answer(response, 200, '{"data":1}')
      })
      expect(await (await open(url)).send(request())).toEqual({ status: 200, body: { data: 1 } })
      expect(count).toBe(3)
      count = -10
      expect(await (await open(url, { retries_max: 1 })).send(request())).toMatchObject({ status })
      expect(count).toBe(-8)
    },
  )

  it('are not tried again when the answer is one', async () => {
    let count = 0
    const url = await serve((_incoming, response) => {
      count++
      answer(response, 403, '{"errors":["permission denied"]}')
    })
    expect(await (await open(url)).send(request())).toMatchObject({ status: 403 })
    expect(count).toBe(1)
  })

  it('go from a standby to the active node, one step', async () => {
    const active = await serve((incoming, response) =>
      answer(
        response,
        200,
        JSON.stringify({ path: incoming.url, token: incoming.headers['x-vault-token'] }),
      ),
    )
    const standby = await serve((incoming, response) => {
      response.writeHead(307, { Location: `${active}${incoming.url}` }).end()
    })
    expect(await (await open(standby)).send(request())).toEqual({
      status: 200,
      body: { path: '/v1/secret/data/a', token: 'hunter2secret' },
    })
    const circle = await serve((_incoming, response) => {
      response.writeHead(307, { Location: '/v1/again' }).end()
    })
    expect(await failureOf((await open(circle, { retries_max: 1 })).send(request()))).toContain(
      'vault main: it sends us from one server to the next',
    )
  })

  it('do not follow a redirect to another protocol: the token would go with them', async () => {
    const url = await serve((_incoming, response) => {
      response.writeHead(307, { Location: 'https://127.0.0.1:1/v1/a' }).end()
    })
    expect(await (await open(url)).send(request())).toEqual({ status: 307, body: null })
  })

  it.each<readonly [string, Handler, string]>([
    ['says nothing', () => undefined, 'no answer in time'],
    [
      'closes the connection',
      (incoming) => incoming.socket.destroy(),
      'it cannot be reached (ECONNRESET)',
    ],
    [
      'sends half of an answer',
      (incoming, response) => {
        response.writeHead(200, { 'Content-Length': '100' })
        response.write('{"data":', () => incoming.socket.destroy())
      },
      'it cannot be reached',
    ],
    [
      'does not speak JSON',
      (_incoming, response) => answer(response, 200, 'hunter2secret'),
      'its answer (200) is no JSON',
    ],
    [
      'sends without an end',
      (_incoming, response) => {
        response.writeHead(200)
        const more = (): void =>
          void (response.write('"'.repeat(65_536))
            ? setImmediate(more)
            : response.once('drain', more))
        more()
      },
      'its answer is larger than 1048576 bytes',
    ],
  ])(
    'a server that %s is no vault: an error without what was sent or received',
    async (_what, handler, words) => {
      const http = await open(await serve(handler), { retries_max: 0 })
      const failure = await failureOf(http.send(request()))
      expect(failure).toContain(`vault main: ${words}`)
      expect(failure).not.toContain('hunter2secret')
    },
  )

  it('nobody is there', async () => {
    const http = await open('http://127.0.0.1:1', { retries_max: 2 })
    expect(await failureOf(http.send(request()))).toContain('it cannot be reached (ECONNREFUSED)')
  })

  it('end when they are given up', async () => {
    const http = await open(await serve(() => undefined), { timeout_ms: 60_000, retries_max: 10 })
    const gone = new AbortController()
    const sending = failureOf(http.send(request({ signal: gone.signal })))
    gone.abort()
    expect(await sending).toContain('vault main: ')
  })

  it('at once are no more than allowed', async () => {
    let now = 0
    let most = 0
    const url = await serve((_incoming, response) => {
      now++
      most = Math.max(most, now)
      setImmediate(() => {
        now--
        answer(response, 200, '{}')
      })
    })
    const http = await open(url, { requests_max: 3 })
    const answers = await Promise.all(Array.from({ length: 40 }, () => http.send(request())))
    expect(answers).toHaveLength(40)
    expect(most).toBeLessThanOrEqual(3)
  })
})
