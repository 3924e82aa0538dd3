/**
 * True when an object anywhere in a JSON text names a member twice. JSON.parse keeps the last one and other parsers the first
 * (RFC 8259, section 4), so that a token with two `sub` is one identity here and another there; such a token is refused
 * (RFC 7519, section 4 allows that). The text must be valid JSON: parse it first.
 *
 *     object = "{" [ string ":" value *( "," string ":" value ) ] "}"
 */
export const hasDuplicateNames = (json: string): boolean => {
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/gs
  const open: Set<string>[] = []
  for (const [text, colon] of json.matchAll(token)) {
    if (text === '{') open.push(new Set())
    else if (text === '}') open.pop()
    else if (colon !== undefined) {
      const name: unknown = JSON.parse(text.slice(0, -colon.length))
      const names = open.at(-1)
      if (names?.has(String(name)) === true) return true
      names?.add(String(name))
    }
  }
  return false
}
