import { z } from 'zod'
import { host, name, path, secret, text, whole } from '../scalars.ts'

/** A path inside a vault: segments of plain characters, no empty one, no dots alone. */
const vaultPath = (doc: string) =>
  z
    .string()
    .max(512)
    .regex(/^(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.=@+-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_.=@+-]+)*$/, {
      error: 'expected names with "/" between them, without "/" at the ends',
    })
    .describe(doc)

const auth = z
  .strictObject({
    token: secret('Token, read once at the start.').exactOptional(),
    token_file: path(
      'File with the token, read again when it is refused: what an agent of the vault keeps fresh.',
    ).exactOptional(),
    app_role: z
      .strictObject({
        mount: vaultPath('Where the auth method is mounted.').default('approle'),
        role_id: text('Role id.'),
        secret_id: secret('Secret id, read once at the start.').exactOptional(),
        secret_id_file: path('File with the secret id, read at each login.').exactOptional(),
      })
      .describe('Auth method AppRole.')
      .exactOptional(),
    jwt: z
      .strictObject({
        mount: vaultPath('Where the auth method is mounted: jwt, kubernetes.').default('jwt'),
        role: text('Role of the auth method.'),
        jwt_file: path(
          'File with the token of the workload, read at each login; in Kubernetes /var/run/secrets/kubernetes.io/serviceaccount/token.',
        ),
      })
      .describe('Auth methods JWT and Kubernetes.')
      .exactOptional(),
  })
  .describe(
    'How the gateway logs in: exactly one of token, token_file, app_role, jwt. Its token must outlive the sessions: with it, the vault revokes what it gave out. Best a periodic token.',
  )

export const vaults = z
  .array(
    z.strictObject({
      name: name('Name that credentials refer to.'),
      url: z
        .url({ error: 'expected a URL, for example https://vault.internal.example.com:8200' })
        .describe('Address of the server; http:// is for loopback only.'),
      namespace: vaultPath('Namespace of all requests.').exactOptional(),
      tls: z
        .strictObject({
          ca_file: path(
            'PEM file of the authorities to trust; default the system ones.',
          ).exactOptional(),
          cert_file: path('PEM file with a client certificate.').exactOptional(),
          key_file: path('PEM file with its private key.').exactOptional(),
          server_name: host('Name to check and to send, where it is not the host.').exactOptional(),
        })
        .prefault({})
        .describe('TLS; the server is always verified.'),
      auth,
      timeout_ms: whole(100, 60_000, 'Limit for one request.').default(5000),
      retries_max: whole(
        0,
        10,
        'Further tries of a request that got no answer or was not served (429, 5xx), with growing, random pauses.',
      ).default(3),
      requests_max: whole(1, 256, 'Requests at once of one gateway process.').default(16),
    }),
  )
  .max(100)
  .default([])
  .describe('Servers with the API of HashiCorp Vault (OpenBao) that credentials come from.')

/** Where in a vault a credential is. */
export const vaultSource = z
  .strictObject({
    server: name('Name of the vault.'),
    kv: z
      .strictObject({
        mount: vaultPath('Where the secrets engine (kv, version 2) is mounted.').default('secret'),
        path: vaultPath('Path of the secret.'),
        user_key: text('Key of the user in the secret, where user is not given.', 256).default(
          'username',
        ),
        password_key: text('Key of the password in the secret.', 256).default('password'),
      })
      .describe('A secret, read for each session.')
      .exactOptional(),
    database: z
      .strictObject({
        mount: vaultPath('Where the database secrets engine is mounted.').default('database'),
        role: vaultPath('Role of the engine.'),
        static: z
          .boolean()
          .default(false)
          .describe(
            'true: a static role, whose password the vault rotates. false: a user of its own for each session, its lease renewed while it is open and revoked at its end.',
          ),
      })
      .describe('The database secrets engine.')
      .exactOptional(),
  })
  .describe('A vault as the source: exactly one of kv and database.')
