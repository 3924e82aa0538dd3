import type { Attack } from '../attack.ts'
import type { Ground } from '../ground.ts'

/** Reading the trail without being one who may. */

type Asked = {
  readonly attack: string
  readonly path: string
  readonly token: (ground: Ground) => Promise<string>
  readonly method?: string
}

const asking = ({ attack, path, token, method = 'GET' }: Asked): Attack => ({
  attack,
  expect: ['refused'],
  how: async (ground) => {
    const { status, body } = await ground.api(path, await token(ground), { method })
    const items = (body as { items?: readonly unknown[] } | null)?.items
    if (status === 200 && items?.length !== 0)
      return { outcome: 'succeeded', where: `${status} ${JSON.stringify(body).slice(0, 80)}` }
    return { outcome: 'refused', where: `api ${status}` }
  },
})

const person = (groups: readonly string[]) => (ground: Ground) =>
  ground.people.token({ groups, sub: 'mallory@example.test' })

const job = (ground: Ground): Promise<string> =>
  ground.ci.token({ repository: 'mallory/shop', sub: 'x' })

export const reading: readonly Attack[] = [
  asking({ attack: 'sessions without a token', path: '/v1/sessions', token: async () => 'none' }),
  asking({ attack: 'sessions of others, as a developer', path: '/v1/sessions', token: person([]) }),
  asking({
    attack: 'commands of others, as a developer',
    path: '/v1/commands?q=orders',
    token: person([]),
  }),
  asking({
    attack: 'commands of others, as another job',
    path: '/v1/commands?q=orders',
    token: job,
  }),
  asking({
    attack: 'approvals of others, as a developer',
    path: '/v1/approvals',
    token: person([]),
  }),
  asking({
    attack: 'sessions, with a token signed by nobody',
    path: '/v1/sessions',
    token: async ({ people }) => {
      const token = await people.token({ groups: ['audit'] })
      return `${token.slice(0, -8)}AAAAAAAA`
    },
  }),
  {
    attack: 'writing to the tables through ClickHouse’s interface',
    expect: ['refused'],
    how: async (ground) => {
      const error = await ground
        .query("insert into cairn.commands (text) values ('forged')")
        .then(() => null)
        .catch((thrown: unknown) => String(thrown))
      return error === null
        ? { outcome: 'succeeded', where: 'inserted' }
        : { outcome: 'refused', where: error.slice(0, 60).replaceAll('\n', ' ') }
    },
  },
]
