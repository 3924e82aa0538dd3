import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secretOf } from '#lib/config/secret.ts'
import { checkMessage, signMessage } from '../../../services/api/approvals/webhook-signature.ts'
import { startApprovalRig, type ApprovalRig } from '../../support/approval-rig.ts'
import { eventually } from '../../support/eventually.ts'

/** A chat's server on the other side of a webhook: it is told, forgets at first, and its user decides. */
type Message = { readonly headers: Record<string, string>; readonly body: string }

const out = secretOf('messages-are-signed-with-this')
const back = secretOf('callbacks-are-signed-with-this')

const messages: Message[] = []
/** Answers of the endpoint; 200 when there are no more. */
const answers: number[] = []

const endpoint = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', (part: string) => (body += part))
  request.on('end', () => {
    messages.push({ headers: request.headers as Record<string, string>, body })
    response.writeHead(answers.shift() ?? 200).end()
  })
})

let rig: ApprovalRig
let dba: string

beforeAll(async () => {
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve))
  const { port } = endpoint.address() as AddressInfo
  rig = await startApprovalRig({
    services: ['gateway', 'api'],
    config: {
      approvals: {
        link_base: 'https://cairn.example',
        webhooks: [
          {
            name: 'chat',
            url: `http://127.0.0.1:${port}/hook`,
            secret: out.reveal(),
            callback: {
              secret: back.reveal(),
              identities: [
                { user: 'U1', issuer: 'https://people.example', subject: 'grace', groups: ['dba'] },
                { user: 'U2', issuer: 'https://people.example', subject: 'dan', groups: ['dev'] },
              ],
            },
          },
        ],
      },
    },
  })
  dba = await rig.person('grace')
}, 180_000)
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  endpoint.close()
})

const callBack = async (fields: Readonly<Record<string, string>>, secret = back, id?: string) => {
  const body = JSON.stringify(fields)
  const headers = signMessage(secret, { id: id ?? `m${Math.random()}`, body }, Date.now())
  const response = await fetch(
    `http://127.0.0.1:${rig.cairn.ports['api']}/v1/approvals/callbacks/chat`,
    { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } },
  )
  return { status: response.status, text: await response.text() }
}

const told = (type: string, text = ''): Promise<Message> =>
  eventually(`${type} is told`, () =>
    messages.find(({ body }) => body.includes(`"${type}"`) && body.includes(text)),
  )

describe('a webhook', () => {
  it('is told of what waits, signed; again when it did not take it; and its user lets it run', async () => {
    answers.push(500, 503)
    await using client = await rig.client()
    await client.pg.query('create table told (id int)')
    const running = client.pg.query('alter table told add note text')
    const { headers, body } = await told('approval.requested')
    await eventually('told until it takes it', () => messages.length === 3)
    expect(new Set(messages.map((message) => message.headers['webhook-id'])).size).toBe(1)
    expect(
      checkMessage(
        out,
        {
          'webhook-id': headers['webhook-id'],
          'webhook-timestamp': headers['webhook-timestamp'],
          'webhook-signature': headers['webhook-signature'],
        },
        body,
        { now_ms: Date.now(), window_s: 60 },
      ),
    ).toBeNull()
    const message = JSON.parse(body) as Record<string, string>
    expect(message).toMatchObject({
      type: 'approval.requested',
      text: 'alter table told add note text',
      groups: ['dba'],
      quorum: 1,
    })
    const { approval, command_hash } = message as { approval: string; command_hash: string }
    expect(message['link']).toContain('https://cairn.example/approvals?session=')

    const decision = { approval, command_hash, decision: 'approve' }
    expect((await callBack({ ...decision, user: 'U1' }, out)).status).toBe(403)
    expect((await callBack({ ...decision, user: 'U9' })).status).toBe(403)
    const dev = await callBack({ ...decision, user: 'U2' })
    expect(dev).toMatchObject({ status: 403 })
    expect(dev.text).toContain('not_entitled')
    expect(await callBack({ ...decision, user: 'U1' }, back, 'once')).toMatchObject({ status: 202 })
    expect((await running).command).toBe('ALTER')
    expect((await callBack({ ...decision, user: 'U1' }, back, 'once')).text).toContain('replayed')
    await told('approval.decided', 'grace')
    await told('approval.consumed', approval)
  })

  it('goes on where it was when the api died', async () => {
    answers.push(...Array.from({ length: 50 }, () => 500))
    await using client = await rig.client()
    const running = client.pg.query('alter table told add later text')
    const { id } = await rig.waiting(dba, 'add later')
    await told('approval.requested', 'add later')
    process.kill((await rig.cairn.processes()).get('api')!, 'SIGKILL')
    answers.length = 0
    const before = messages.length
    await eventually('told by the next life', () =>
      messages.slice(before).find(({ body }) => body.includes('add later')),
    )
    await eventually('the api answers', async () => (await rig.decide(id, dba)).status === 202)
    expect((await running).command).toBe('ALTER')
  })
})
