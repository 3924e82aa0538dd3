import { setImmediate as turn } from 'node:timers/promises'
import type { Chance } from '../../support/random-numbers.ts'
import { login, openRaw, openSecure, wire, type WireClient } from '../../support/wire-client.ts'
import { anyGreeting, anyPhrase, brokenPhrase } from './phrases.ts'

/** One fuzzed connection, from its first byte to its close. */

export type Played = {
  /** Messages sent. */
  readonly messages: number
  /** What went wrong, in words; null when nothing did. */
  readonly trouble: string | null
}

export type SessionPlan = {
  readonly port: number
  readonly application: string
  readonly token: string
  readonly chance: Chance
}

/** Phrases of one session. */
const phrases_max = 60
/** A chunk is cut at most so often. */
const cuts_max = 6

/** Sends bytes in pieces cut anywhere, now and then with a turn of the loop between them. */
const sendCut = async (client: WireClient, bytes: Buffer, chance: Chance): Promise<void> => {
  let at = 0
  for (let cut = chance.whole(cuts_max); cut > 0 && at < bytes.length; cut--) {
    const end = at + 1 + chance.whole(bytes.length - at)
    client.send(bytes.subarray(at, end))
    at = end
    if (chance.percent(40)) await turn()
  }
  if (at < bytes.length) client.send(bytes.subarray(at))
}

/** Ends whatever is under way and asks for an answer: a session that is open must give it. */
const ask = async (client: WireClient, question: string): Promise<'answered' | 'closed'> => {
  client.send(wire.copyFail('the end'), wire.sync(), wire.query('rollback'))
  client.send(wire.query(`select '${question}'`))
  try {
    await client.take(({ type, body }) => type === 'D' && body.includes(question))
    await client.take(({ type }) => type === 'Z')
    return 'answered'
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('the connection ended')) return 'closed'
    throw error
  }
}

/** Says phrases until the session is over; returns how many messages. */
const say = async (client: WireClient, { application, chance }: SessionPlan): Promise<number> => {
  let messages = 0
  let gathered: Buffer[] = []
  let swallowed = false
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(gathered)
    gathered = []
    await sendCut(client, bytes, chance)
  }
  for (let count = 1 + chance.whole(phrases_max); count > 0 && !swallowed; count--) {
    const phrase = chance.percent(2) ? brokenPhrase(chance) : anyPhrase(chance)
    messages += phrase.messages.length
    gathered.push(...phrase.messages)
    swallowed = phrase.swallows
    if (chance.percent(60)) await flush()
    if (!swallowed && chance.percent(10)) {
      await flush()
      messages += 4
      if ((await ask(client, `${application}.${messages}`)) === 'closed') return messages
    }
  }
  await flush()
  if (!swallowed && chance.percent(70)) {
    messages += 4
    await ask(client, `${application}.${messages}`)
  }
  return messages
}

const leave = (client: WireClient, chance: Chance): void => {
  const way = chance.whole(10)
  if (way < 7) client.send(wire.terminate())
  // What does not end by itself ends here: a message of which the rest never comes.
  if (way < 9) client.socket.end()
  else client.socket.destroy()
}

const playing = async (
  open: () => Promise<WireClient>,
  play: (client: WireClient) => Promise<number>,
  chance: Chance,
): Promise<Played> => {
  let messages = 0
  try {
    await using client = await open()
    messages = await play(client)
    leave(client, chance)
    await client.closed()
    return { messages, trouble: null }
  } catch (error) {
    return { messages, trouble: error instanceof Error ? error.message : String(error) }
  }
}

/** Logs in as anybody would, and then does as it likes. */
export const playSession = (plan: SessionPlan): Promise<Played> => {
  const { chance, port } = plan
  const open = async (): Promise<WireClient> => {
    const client = await (chance.percent(20) ? openSecure(port) : openRaw(port))
    const parameters = { user: 'admin', database: 'main', application_name: plan.application }
    await login(client, parameters, plan.token, chance.pick([0x0003_0000, 0x0003_0002]))
    return client
  }
  return playing(open, (client) => say(client, plan), chance)
}

/** A connection that never shows who it is. */
export const playGreeting = (port: number, chance: Chance): Promise<Played> =>
  playing(
    () => openRaw(port),
    async (client) => {
      const count = 1 + chance.whole(3)
      for (let i = 0; i < count; i++) await sendCut(client, anyGreeting(chance), chance)
      return count
    },
    chance,
  )
