import { setTimeout as delay } from 'node:timers/promises'

/** How long the demonstration's approver looks for something to decide, milliseconds. */
const patience_ms = 20_000
/** Between two looks, milliseconds. */
const look_ms = 200

export type ApproverOptions = {
  /** Base URL of the API. */
  readonly api: string
  /** A token of a person who may approve. */
  readonly token: () => Promise<string>
}

/** Approves the next command that waits, as a person would through the API, and says which; undefined when none came. */
export const approveNext = async (
  { api, token }: ApproverOptions,
  reason: string,
): Promise<string | undefined> => {
  const headers = { authorization: `Bearer ${await token()}` }
  const deadline_ms = performance.now() + patience_ms
  while (performance.now() < deadline_ms) {
    const listed = await fetch(`${api}/v1/approvals?state=waiting`, { headers })
    if (listed.ok) {
      const { items } = (await listed.json()) as {
        readonly items: readonly { readonly id: string; readonly text: string }[]
      }
      const [first] = items
      if (first !== undefined) {
        const answer = await fetch(`${api}/v1/approvals/${first.id}/decision`, {
          method: 'POST',
          headers,
          body: new URLSearchParams({ decision: 'approve', reason }),
        })
        await answer.arrayBuffer()
        return answer.ok ? first.text : undefined
      }
    } else await listed.arrayBuffer()
    await delay(look_ms)
  }
  return undefined
}
