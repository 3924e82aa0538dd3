import { inspect } from 'node:util'

/**
 * A value that never prints: string conversion, JSON, `util.inspect`, template literals and structured logs all show
 * `[secret]`. `reveal()` is the only way to the value; call it where the value is used and nowhere else.
 */
export type Secret = {
  readonly reveal: () => string
  readonly toString: () => string
  readonly toJSON: () => string
}

const hidden = '[secret]'

const wrap = (reveal: () => string): Secret => {
  const wrapped = {}
  const hide = (): string => hidden
  const methods = { reveal, toString: hide, toJSON: hide, [inspect.custom]: hide }
  // Not enumerable: spreading or iterating a Secret copies nothing, not even the way to its value.
  for (const key of Reflect.ownKeys(methods)) {
    Object.defineProperty(wrapped, key, { value: Reflect.get(methods, key) })
  }
  return Object.freeze(wrapped) as Secret
}

/** Wraps a value so that it cannot slip into a log line, an error or an event. */
export const secretOf = (value: string): Secret => wrap(() => value)

/** A secret that is let go when its use is over: then `reveal()` gives an empty text, and nothing here holds the value any more. */
export type PassingSecret = { readonly secret: Secret; readonly forget: () => void }

export const passingSecret = (value: string): PassingSecret => {
  let held = value
  return {
    secret: wrap(() => held),
    forget: () => {
      held = ''
    },
  }
}
