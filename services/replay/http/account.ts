import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isLoopbackHost } from '#lib/loopback.ts'
import { reader_user } from '#lib/clickhouse/open.ts'

type Shown = { readonly user: string; readonly password: string }

const first = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0]

const basic = (authorization: string | undefined): Shown | null => {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '')?.[1]
  if (encoded === undefined) return null
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0
    ? { user: text, password: '' }
    : { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** The account that a request shows: headers of ClickHouse's clients, HTTP basic, or parameters. */
const shownBy = (request: IncomingMessage, params: URLSearchParams): Shown => {
  const user = first(request.headers['x-clickhouse-user'])
  const key = first(request.headers['x-clickhouse-key'])
  if (user !== undefined || key !== undefined)
    return { user: user ?? 'default', password: key ?? '' }
  return (
    basic(request.headers.authorization) ?? {
      user: params.get('user') ?? 'default',
      password: params.get('password') ?? '',
    }
  )
}

const same = (a: string, b: string): boolean =>
  timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())

/** Whether the request shows the reader's account: `cairn_reader` or `default`, with the password when one is configured. */
export const isReader = (
  request: IncomingMessage,
  params: URLSearchParams,
  password: string | null,
): boolean => {
  const shown = shownBy(request, params)
  return (
    (shown.user === reader_user || shown.user === 'default') &&
    (password === null || same(shown.password, password))
  )
}

/**
 * Whether the request may come from a page of another site in somebody's browser: it names a host that is none of this machine's (DNS
 * rebinding), or says that another site sent it. Requests of programs pass.
 */
export const isForeignPage = (request: IncomingMessage, loopback_only: boolean): boolean => {
  if (request.headers.origin !== undefined) return true
  const site = first(request.headers['sec-fetch-site'])
  if (site !== undefined && site !== 'none' && site !== 'same-origin') return true
  if (!loopback_only) return false
  const host = request.headers.host ?? ''
  const name = /^(\[[^\]]*\]|[^:]*)(:\d+)?$/.exec(host)?.[1]
  return name === undefined || !isLoopbackHost(name)
}
