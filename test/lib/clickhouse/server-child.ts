import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Session } from 'chdb'

/**
 * A ClickHouse that writes over HTTP, for tests of the server adapter where no server is at hand: the same engine in a process of its own,
 * without our limits. It takes queries as @clickhouse/client sends them: in the body, or in the address with an insert's data as the body.
 */
const [folder] = process.argv.slice(2)
const root = new Session(folder)

const insertion = /^INSERT INTO (\w+\.\w+) \(([^)]*)\) SETTINGS (.*) FORMAT TabSeparated$/s

const settingsOf = (text: string): Record<string, string | number> =>
  Object.fromEntries(
    [...text.matchAll(/(\w+) = (?:'((?:[^'\\]|\\.)*)'|(\d+))/g)].map(([, name, word, number]) => [
      name!,
      number === undefined ? word! : Number(number),
    ]),
  )

const answer = async function* (params: URLSearchParams, body: Buffer): AsyncGenerator<Uint8Array> {
  const sql = params.get('query') ?? body.toString('utf8')
  const insert = insertion.exec(sql)
  const session = new Session(folder)
  try {
    if (insert !== null) {
      await session.insert({
        table: insert[1]!,
        columns: insert[2]!.split(', '),
        settings: settingsOf(insert[3]!),
        values: body,
        format: 'TabSeparated',
      })
      return
    }
    await session.queryAsync(`USE ${params.get('database') ?? 'default'}`)
    const values = [...params].filter(([name]) => name.startsWith('param_'))
    const set = values.map(
      ([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
    )
    if (set.length > 0) await session.queryAsync(`SET ${set.join(', ')}`)
    if (!/^\s*SELECT/i.test(sql)) yield (await session.queryAsync(sql, { format: 'TSV' })).bytes()
    else for await (const chunk of session.queryStream(sql, { format: 'TSV' })) yield chunk.raw()
  } finally {
    session.close()
  }
}

const send = async (response: ServerResponse, chunks: AsyncIterable<Uint8Array>): Promise<void> => {
  for await (const chunk of chunks) {
    if (response.destroyed) return
    if (!response.write(chunk))
      await new Promise<void>((resolve) => {
        response.once('drain', resolve)
        response.once('close', resolve)
      })
  }
  response.end()
}

const server = createServer((request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost')
    send(response, answer(searchParams, Buffer.concat(parts))).catch((error: unknown) => {
      if (response.headersSent) {
        response.destroy()
        return
      }
      const text = error instanceof Error ? error.message : String(error)
      const code = /Code: (\d+)/.exec(text)?.[1] ?? '1002'
      response.writeHead(500, { 'x-clickhouse-exception-code': code }).end(`${text}\n`)
    })
  })
})
server.listen(0, '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port)
})
process.once('SIGTERM', () => {
  root.close()
  process.exit(0)
})
