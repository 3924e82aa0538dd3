import { wire } from '../../support/wire-client.ts'
import type { Attack } from '../attack.ts'
import { planted } from '../ground-config.ts'
import { queries, sqlAttack, type Say } from '../sql-attack.ts'

/**
 * After values that are masked, by one who may run anything at all: email, ssn, salary and note of people. Each row says what it would
 * have seen; none of it may come back, nor stand in the record.
 */
const reversed = (text: string): string => [...text].toReversed().join('')
const hex = (text: string): string => Buffer.from(text).toString('hex')

/** Whatever of a planted value would tell it. */
const tells = [
  ...[planted.email, planted.ssn, planted.salary, planted.note].flatMap((value) => [
    value,
    value.toUpperCase(),
    reversed(value),
    hex(value),
    Buffer.from(value).toString('base64'),
  ]),
  'planted.mail',
  'hidden.example',
  '987-65',
  '90817',
]

const int4 = Buffer.alloc(4)
int4.writeInt32BE(Number(planted.salary))

export const after = (attack: string, say: Say | string): Attack =>
  sqlAttack({
    attack,
    role: 'analyst',
    say: typeof say === 'string' ? queries(say) : say,
    leaks: [...tells, int4.toString('latin1')],
    expect: ['masked', 'refused'],
  })

/** What fails: the error says nothing of the value, and that is all there is to see. */
export const failing = (attack: string, say: Say | string): Attack => ({
  ...after(attack, say),
  expect: ['recorded', 'masked', 'refused'],
})

/** Whether a guess is right shows by what comes and what does not. Masking hides values, not that; the record has who asked. */
export const asking = (attack: string, text: string): Attack => ({
  ...after(`${attack} (an oracle: recorded, not hidden)`, text),
  expect: ['recorded', 'masked'],
})

export const binary = (text: string): Buffer[] => [
  wire.parse(text),
  wire.message('B', Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 0, 1])),
  wire.execute(),
  wire.sync(),
]
