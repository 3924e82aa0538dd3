import type { Detector } from '../detector.ts'
import { card } from './card.ts'
import { email } from './email.ts'
import { iban } from './iban.ts'
import { jwt } from './jwt.ts'
import { awsKey, gcpKey, privateKey } from './keys.ts'
import { phone } from './phone.ts'
import { usSsn } from './us-ssn.ts'

/** Detectors that come with Cairn, by their names in rules. */
export const detectors: ReadonlyMap<string, Detector> = new Map(
  [email, card, iban, jwt, awsKey, gcpKey, privateKey, usSsn, phone].map((detector) => [
    detector.name,
    detector,
  ]),
)
