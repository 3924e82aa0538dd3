/** A JSON Web Token, or so much of its beginning that it may be one; also with its letters in lower case, as names are kept. */
const token_shape = /eyJ(?:[\w-]{17,}(?:\.[\w-]*){0,2}|[\w-]*\.[\w-]*\.[\w-]*)/gi

/** Shorter passwords are no tokens, and could be a part of any word. */
const password_chars_min = 16

/**
 * A string of a startup message for the record: what looks like a token, or is the password that was shown, is replaced. People put
 * a token in the wrong field.
 */
export const hideTokens = (text: string, password: string): string => {
  if (password !== '' && text === password) return '[redacted]'
  const rest = password.length < password_chars_min ? text : text.replaceAll(password, '[redacted]')
  return rest.replaceAll(token_shape, '[redacted]')
}
