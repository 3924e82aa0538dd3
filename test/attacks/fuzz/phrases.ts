import type { Chance } from '../../support/random-numbers.ts'
import { wire } from '../../support/wire-client.ts'
import { anyStatement, anyText, copy_in, names } from './statements.ts'

/**
 * What a fuzzed client says: phrases of protocol messages, most of them in an order that means something, some broken in one place.
 *
 *     session = *( phrase | broken )
 *     phrase  = Query | *( Parse | Bind | Describe | Execute | Close | Flush ) [Sync] | COPY | FunctionCall | out of place
 *     broken  = phrase whose last message has one field changed
 */
export type Phrase = {
  readonly messages: readonly Buffer[]
  /** It may leave the gateway waiting for the rest of a message, so that what follows is a part of it. */
  readonly swallows: boolean
}

const phrase = (...messages: readonly Buffer[]): Phrase => ({ messages, swallows: false })

const name = (chance: Chance): string => chance.pick(names)

/** Parse, Bind, Describe and Execute as a driver sends them, now and then without one of them. */
const unit = (chance: Chance): Buffer[] => {
  const { text, oids, values } = anyStatement(chance)
  const statement = name(chance)
  const portal = name(chance)
  const whole = [
    wire.parse(text, statement, oids),
    wire.bind(values, statement, portal),
    chance.percent(50) ? wire.describe('P', portal) : wire.describe('S', statement),
    wire.execute(portal, chance.pick([0, 0, 1, 2, -1])),
  ]
  return whole.filter(() => !chance.percent(12))
}

const one = (chance: Chance): Buffer => {
  const { text, oids, values } = anyStatement(chance)
  switch (chance.whole(8)) {
    case 0:
      return wire.parse(text, name(chance), oids)
    case 1:
      return wire.bind(values, name(chance), name(chance))
    case 2:
      return wire.describe(chance.pick(['S', 'P'] as const), name(chance))
    case 3:
    case 4:
      return wire.execute(name(chance), chance.whole(3))
    case 5:
      return wire.close(chance.pick(['S', 'P'] as const), name(chance))
    case 6:
      return wire.flush()
    default:
      return wire.sync()
  }
}

const some = <Value>(chance: Chance, count_max: number, make: () => Value): Value[] =>
  Array.from({ length: 1 + chance.whole(count_max) }, make)

/** COPY from the client, whose data need not fit the table, may be cut anywhere and need not end. */
const copyIn = (chance: Chance): Phrase => {
  const text = chance.pick(copy_in)
  const start = chance.percent(70)
    ? [wire.query(text)]
    : [wire.parse(text), wire.bind(), wire.execute()]
  const rows = some(chance, 5, () =>
    wire.copyData(chance.pick(['1\tx\n', '2\t', 'y\n', '7\n', '', 'no number\tz\n', '\\.\n'])),
  )
  const end = chance.percent(70) ? wire.copyDone() : wire.copyFail('enough')
  const noise = chance.percent(15) ? [chance.pick([wire.sync(), wire.flush()])] : []
  const stray = chance.percent(3) ? [wire.query('select 1')] : []
  return phrase(...start, ...rows, ...noise, ...stray, end, wire.sync())
}

/** A legal message where it makes no sense. */
const outOfPlace = (chance: Chance): Phrase =>
  phrase(
    chance.pick([
      wire.copyData('1\tx\n'),
      wire.copyDone(),
      wire.copyFail('what copy'),
      wire.functionCall(chance.pick([1598, 2026, 0, 0xffff]), []),
      wire.sync(),
      wire.flush(),
    ]),
  )

export const anyPhrase = (chance: Chance): Phrase => {
  const kind = chance.whole(100)
  if (kind < 30) return phrase(wire.query(anyText(chance)))
  if (kind < 62) return phrase(...unit(chance), wire.sync())
  if (kind < 70) return phrase(...some(chance, 4, () => unit(chance)).flat(), wire.sync())
  if (kind < 84) return phrase(...some(chance, 8, () => one(chance)))
  if (kind < 92) return copyIn(chance)
  return outOfPlace(chance)
}

const with32 = (bytes: Buffer, at: number, value: number): Buffer => {
  const changed = Buffer.from(bytes)
  changed.writeInt32BE(value | 0, at)
  return changed
}

/** Changes one field of a message: its length, its type, a count, a terminator, or anything. */
const breaks: readonly ((bytes: Buffer, chance: Chance) => Buffer)[] = [
  (bytes, chance) =>
    with32(bytes, 1, chance.pick([0, 3, 4, 5, -1, -0x8000_0000, 0x7fff_ffff, bytes.length - 2])),
  (bytes, chance) => with32(bytes, 1, bytes.length - 1 + chance.pick([-2, -1, 1, 2, 70_000_000])),
  (bytes, chance) => {
    const changed = Buffer.from(bytes)
    changed[0] = chance.whole(256)
    return changed
  },
  (bytes, chance) => {
    const changed = Buffer.from(bytes)
    if (bytes.length > 5) changed[5 + chance.whole(bytes.length - 5)] = chance.pick([0, 0xff, 0x50])
    return changed
  },
  // The terminator of the last string, or the last count.
  (bytes, chance) => {
    const changed = Buffer.from(bytes)
    changed[bytes.length - 1] = chance.pick([1, 0x41, 0xff])
    return changed
  },
  (bytes, chance) => {
    const cut = Buffer.from(bytes.subarray(0, bytes.length - chance.whole(bytes.length - 4)))
    return with32(cut, 1, cut.length - 1)
  },
  (bytes, chance) => {
    const grown = Buffer.concat([bytes, chance.bytes(1 + chance.whole(9))])
    return with32(grown, 1, grown.length - 1)
  },
  (bytes) => Buffer.concat([bytes.subarray(0, 1), Buffer.from([0, 0, 0, 4])]),
]

/** A phrase whose last message is broken. */
export const brokenPhrase = (chance: Chance): Phrase => {
  const { messages } = anyPhrase(chance)
  const last = messages.at(-1) ?? wire.sync()
  const broken = chance.pick(breaks)(last, chance)
  return { messages: [...messages.slice(0, -1), broken], swallows: true }
}

/** First messages of a connection, where anything may come: before TLS, before a password. */
export const anyGreeting = (chance: Chance): Buffer => {
  const startup = wire.startup(
    { user: 'admin', database: 'main', [chance.pick(['x', 'options', '_pq_.y'])]: 'z' },
    chance.pick([0x0003_0000, 0x0003_0002, 0x0003_0063, 0x0002_0000, 0, -1, 0x0004_0000]),
  )
  const made = chance.pick([
    startup,
    wire.sslRequest(),
    wire.gssRequest(),
    wire.cancel(chance.whole(1 << 30), chance.bytes(chance.pick([0, 4, 32, 300]))),
    chance.bytes(chance.whole(64)),
    Buffer.concat([wire.sslRequest(), startup]),
    Buffer.concat([wire.gssRequest(), wire.gssRequest(), wire.sslRequest(), chance.bytes(20)]),
    Buffer.concat([wire.sslRequest(), Buffer.from([0x16, 0x03, 0x01]), chance.bytes(40)]),
    Buffer.concat([Buffer.from([0x16, 0x03, 0x01]), chance.bytes(60)]),
  ])
  if (chance.percent(60) || made.length < 8) return made
  const broken = Buffer.from(made)
  if (chance.percent(50)) broken.writeInt32BE(chance.pick([0, 4, 7, -1, 0x7fff_ffff, 10_001]), 0)
  else broken[chance.whole(broken.length)] = chance.whole(256)
  return broken
}
