import { Client, type ClientConfig } from 'pg'

/** A connected client that ends with its scope. */
export const connected = async (
  config: ClientConfig,
): Promise<AsyncDisposable & { readonly client: Client }> => {
  const client = new Client(config)
  // A connection that the far end closes fails the queries; it must not end the process.
  client.on('error', () => undefined)
  await client.connect()
  return { client, [Symbol.asyncDispose]: () => client.end() }
}

/** A client of a gateway's listener. */
export const throughGateway = (
  port: number,
  password: string,
  { user = 'admin', database = 'main' } = {},
) =>
  connected({
    host: '127.0.0.1',
    port,
    user,
    database,
    password,
    ssl: { rejectUnauthorized: false },
  })
