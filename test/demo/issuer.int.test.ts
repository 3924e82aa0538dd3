import { request } from 'node:http'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAuthenticator } from '#lib/identity/authenticator.ts'
import { startDemoIssuer, type DemoIssuer } from '../../services/demo/issuer.ts'
import { issuerConfigs } from '../lib/identity/workbench.ts'

const logger = pino({ level: 'silent' })
let issuer: DemoIssuer
beforeAll(async () => {
  issuer = await startDemoIssuer({ port: 0, logger })
})
afterAll(() => issuer[Symbol.asyncDispose]())

const get = (path: string, host: string, method = 'GET'): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(issuer.url)
    request({ hostname, port, path, method, headers: { host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .once('error', reject)
      .end()
  })

test('its tokens, minted or fetched, prove the invented jobs and the invented person', async () => {
  const authenticator = createAuthenticator(issuerConfigs(issuer.issuers), { logger })
  const deploy = await authenticator.authenticate(await issuer.mint('deploy'))
  expect(deploy).toMatchObject({
    ok: true,
    identity: {
      issuer: 'demo-ci',
      actor: { kind: 'workload' },
      pipeline: { repository: 'acme/shop', environment: 'production' },
    },
  })
  const fetched = await (await fetch(issuer.tokenUrl('ana'))).text()
  expect(await authenticator.authenticate(fetched)).toMatchObject({
    ok: true,
    identity: {
      issuer: 'demo-people',
      actor: { kind: 'human', display_name: 'Ana Lima', groups: ['engineering', 'dba'] },
      pipeline: null,
    },
  })
})

test('a name that is not loopback gets nothing, so that no web page can fetch a token', async () => {
  expect(await get('/token/ana', 'evil.example.test')).toBe(403)
  expect(await get('/token/ana', '127.0.0.1.example.test')).toBe(403)
  expect(await get('/token/ana', 'localhost')).toBe(200)
})

test('what it does not know is not found', async () => {
  expect(await get('/token/root', 'localhost')).toBe(404)
  expect(await get('/token/constructor', 'localhost')).toBe(404)
  expect(await get('/', 'localhost')).toBe(404)
  expect(await get('/token/ana', 'localhost', 'POST')).toBe(405)
})
