import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'

type Json = Readonly<Record<string, unknown>>

/** A real OpenBao on loopback with TLS, unsealed, in memory; it is gone with its process. */
export interface TestOpenBao extends AsyncDisposable {
  readonly url: string
  /** PEM file of the authority of its certificate. */
  readonly ca_file: string
  readonly root_token: string
  /** A call with the root token, or another; the status and what came. */
  call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: Json,
    more?: { readonly token?: string; readonly namespace?: string },
  ): Promise<{ readonly status: number; readonly body: Json }>
  /** The same, and an error unless the answer is 200 or 204. */
  ok(method: 'GET' | 'POST' | 'DELETE', path: string, body?: Json): Promise<Json>
  unseal(): Promise<void>
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** @param binary of `openBao()` */
export const startOpenBao = async (binary: string): Promise<TestOpenBao> => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-bao-'))
  const port = await freePort()
  const root_token = randomBytes(12).toString('hex')
  const child = spawn(
    binary,
    [
      'server',
      '-dev',
      '-dev-tls',
      `-dev-tls-cert-dir=${folder}`,
      '-dev-no-store-token',
      `-dev-root-token-id=${root_token}`,
      `-dev-listen-address=127.0.0.1:${port}`,
    ],
    { env: { PATH: process.env['PATH'], HOME: folder }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const ended = once(child, 'exit')
  const url = `https://127.0.0.1:${port}`
  const ca_file = join(folder, 'vault-ca.pem')

  const call: TestOpenBao['call'] = async (method, path, body, more = {}) => {
    const ca = await readFile(ca_file)
    return new Promise((resolve, reject) => {
      const sent = request(
        `${url}/v1/${path}`,
        {
          method,
          ca,
          headers: {
            'X-Vault-Token': more.token ?? root_token,
            ...(more.namespace === undefined ? {} : { 'X-Vault-Namespace': more.namespace }),
          },
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (part: string) => (text += part))
          response.once('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              body: (text === '' ? {} : JSON.parse(text)) as Json,
            }),
          )
        },
      )
      sent.once('error', reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
  const ok: TestOpenBao['ok'] = async (method, path, body) => {
    const answer = await call(method, path, body)
    if (answer.status !== 200 && answer.status !== 204)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  await eventually('OpenBao is ready', async () => (await call('GET', 'sys/health')).status === 200)
  return {
    url,
    ca_file,
    root_token,
    call,
    ok,
    unseal: async () => {
      const key = /^Unseal Key: (\S+)$/m.exec(output)?.[1]
      await ok('POST', 'sys/unseal', { key })
      await eventually(
        'it is unsealed',
        async () => (await call('GET', 'sys/health')).status === 200,
      )
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(timer)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
