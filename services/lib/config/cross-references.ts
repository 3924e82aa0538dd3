import { customDetector } from '#core/masking/detectors/custom.ts'
import { detectors } from '#core/masking/detectors/index.ts'
import { isLoopbackHost } from '#lib/loopback.ts'
import { credentialChecks, credentialReferences, vaultChecks } from './credential-checks.ts'
import {
  certificatePairs,
  duplicates,
  isTree,
  known,
  listAt,
  namesOf,
  textsAt,
  treeAt,
  type Finding,
  type Tree,
} from './plain-tree.ts'

const globMatches = (pattern: string, names: ReadonlySet<string>): boolean => {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  const expression = new RegExp(`^${parts.join('.*')}$`)
  return [...names].some((name) => expression.test(name))
}

const policyReferences = (root: Tree, policies: readonly Tree[]): Finding[] => {
  const targets = listAt(root, 'targets')
  const sets = {
    issuers: namesOf(listAt(root, 'issuers')),
    targets: namesOf(targets),
    roles: namesOf(targets.flatMap((target) => listAt(target, 'roles'))),
  }
  return policies.flatMap((policy, index) =>
    (['issuers', 'targets', 'roles'] as const).flatMap((key) =>
      textsAt(policy, key).flatMap((pattern, position) =>
        pattern === '' || pattern === '*' || globMatches(pattern, sets[key])
          ? []
          : [
              {
                path: ['policies', index, key, position],
                message: `no ${key.slice(0, -1)} has this name; ${known(sets[key])}`,
              },
            ],
      ),
    ),
  )
}

const issuerChecks = (root: Tree): Finding[] => {
  const issuers = listAt(root, 'issuers')
  const seen = new Set<string>()
  return issuers.flatMap((issuer, index) => {
    const findings: Finding[] = []
    for (const key of ['issuer', 'discovery_url'] as const) {
      const url = issuer[key]
      if (typeof url !== 'string' || !URL.canParse(url)) continue
      const { protocol, hostname, username, password } = new URL(url)
      if (protocol === 'http:' && !isLoopbackHost(hostname)) {
        findings.push({
          path: ['issuers', index, key],
          message: 'http:// is for loopback only; use https://',
        })
      }
      if (username !== '' || password !== '') {
        findings.push({
          path: ['issuers', index, key],
          message: 'a user or password in the URL is not accepted',
        })
      }
    }
    if (typeof issuer['issuer'] === 'string') {
      if (seen.has(issuer['issuer'])) {
        findings.push({
          path: ['issuers', index, 'issuer'],
          message: 'another entry has this issuer already; give audience a list',
        })
      }
      seen.add(issuer['issuer'])
    }
    if (
      isTree(issuer['claims']) &&
      issuer['preset'] !== undefined &&
      issuer['preset'] !== 'generic'
    ) {
      findings.push({
        path: ['issuers', index, 'claims'],
        message: 'the preset maps the claims; claims is for preset generic',
      })
    }
    return findings
  })
}

const adapterChecks = (root: Tree): Finding[] => {
  const findings: Finding[] = []
  const log = treeAt(root, 'log')
  const clickhouse = treeAt(root, 'clickhouse')
  if (log['kind'] === 'kafka' && log['kafka'] === undefined) {
    findings.push({ path: ['log'], message: 'log.kafka is missing: log.kind is kafka' })
  }
  if (clickhouse['kind'] === 'server' && clickhouse['url'] === undefined) {
    findings.push({
      path: ['clickhouse'],
      message: 'clickhouse.url is missing: clickhouse.kind is server',
    })
  }
  findings.push(...certificatePairs(treeAt(treeAt(log, 'kafka'), 'tls'), ['log', 'kafka', 'tls']))
  listAt(treeAt(root, 'forward'), 'sinks').forEach((sink, index) => {
    findings.push(...certificatePairs(treeAt(sink, 'tls'), ['forward', 'sinks', index, 'tls']))
  })
  return findings
}

/** A job that is expected of an issuer that is not there could never come. */
const expectReferences = (root: Tree): Finding[] => {
  const names = namesOf(listAt(root, 'issuers'))
  return listAt(root, 'targets').flatMap((target, index) =>
    listAt(target, 'roles').flatMap((role, at) =>
      listAt(role, 'expect').flatMap((job, position) => {
        const { issuer } = job
        const patterns = typeof issuer === 'string' ? [issuer] : textsAt(job, 'issuer')
        return patterns.length === 0 || patterns.some((pattern) => globMatches(pattern, names))
          ? []
          : [
              {
                path: ['targets', index, 'roles', at, 'expect', position, 'issuer'],
                message: `no issuer has this name; ${known(names)}`,
              },
            ]
      }),
    ),
  )
}

const apiReferences = (root: Tree): Finding[] => {
  const names = namesOf(listAt(root, 'issuers'))
  return listAt(treeAt(root, 'api'), 'roles').flatMap((role, index) =>
    textsAt(role, 'issuers').flatMap((pattern, position) =>
      pattern === '' || pattern === '*' || globMatches(pattern, names)
        ? []
        : [
            {
              path: ['api', 'roles', index, 'issuers', position],
              message: `no issuer has this name; ${known(names)}`,
            },
          ],
    ),
  )
}

const patternProblem = (re2: string): string | undefined => {
  try {
    customDetector({ name: '', re2, literal: '' })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : 'no pattern in RE2 syntax'
  }
}

const maskingChecks = (root: Tree): Finding[] => {
  const masking = treeAt(root, 'masking')
  const custom = listAt(masking, 'detectors')
  const names = new Set([...detectors.keys(), ...namesOf(custom)])
  const findings: Finding[] = []
  custom.forEach((detector, index) => {
    const at = ['masking', 'detectors', index]
    const { name, re2 } = detector
    if (typeof name === 'string' && detectors.has(name))
      findings.push({ path: [...at, 'name'], message: 'Cairn has a detector of this name already' })
    const problem = typeof re2 === 'string' ? patternProblem(re2) : undefined
    if (problem !== undefined) findings.push({ path: [...at, 're2'], message: problem })
  })
  listAt(masking, 'rules').forEach((rule, index) => {
    const at = ['masking', 'rules', index]
    if (rule['method'] === 'hash' && masking['hash_key'] === undefined)
      findings.push({
        path: [...at, 'method'],
        message: 'masking.hash_key is missing: method hash needs it',
      })
    textsAt(rule, 'detectors').forEach((name, position) => {
      if (name !== '' && !names.has(name))
        findings.push({
          path: [...at, 'detectors', position],
          message: `no detector has this name; ${known(names)}`,
        })
    })
  })
  return findings
}

/** What must hold between sections: references exist, names are unique, parts that need one another are there. */
export const crossReferenceErrors = (root: unknown): readonly Finding[] => {
  if (!isTree(root)) return []
  return [
    ...duplicates(listAt(root, 'issuers'), ['issuers'], 'issuer'),
    ...duplicates(listAt(root, 'targets'), ['targets'], 'target'),
    ...duplicates(listAt(root, 'credentials'), ['credentials'], 'credential'),
    ...duplicates(listAt(root, 'policies'), ['policies'], 'policy'),
    ...duplicates(listAt(treeAt(root, 'forward'), 'sinks'), ['forward', 'sinks'], 'sink'),
    ...duplicates(
      listAt(treeAt(root, 'approvals'), 'webhooks'),
      ['approvals', 'webhooks'],
      'webhook',
    ),
    ...duplicates(listAt(treeAt(root, 'masking'), 'rules'), ['masking', 'rules'], 'masking rule'),
    ...duplicates(
      listAt(treeAt(root, 'masking'), 'detectors'),
      ['masking', 'detectors'],
      'detector',
    ),
    ...issuerChecks(root),
    ...maskingChecks(root),
    ...credentialReferences(root),
    ...credentialChecks(root),
    ...vaultChecks(root),
    ...policyReferences(root, listAt(root, 'policies')),
    ...apiReferences(root),
    ...expectReferences(root),
    ...adapterChecks(root),
  ]
}

/** What must hold between the configuration and a file of policies; paths are those of that file. */
export const policyFileReferenceErrors = (root: unknown, file: unknown): readonly Finding[] => {
  if (!isTree(root) || !isTree(file)) return []
  const own = listAt(file, 'policies')
  const taken = namesOf(listAt(root, 'policies'))
  return [
    ...policyReferences(root, own),
    ...duplicates(own, ['policies'], 'policy'),
    ...own.flatMap(({ name }, index) =>
      typeof name === 'string' && taken.has(name)
        ? [
            {
              path: ['policies', index, 'name'],
              message: 'a policy of the configuration has this name already',
            },
          ]
        : [],
    ),
  ]
}

/** What is allowed and yet worth a line at start. */
export const crossReferenceWarnings = (root: unknown): readonly Finding[] => {
  if (!isTree(root)) return []
  const kafka = treeAt(treeAt(root, 'log'), 'kafka')
  const findings: Finding[] = []
  if (kafka['sasl'] !== undefined && kafka['tls'] === undefined) {
    findings.push({
      path: ['log', 'kafka', 'sasl'],
      message: 'SASL without TLS shows the password to the network',
    })
  }
  if (root['policy_mode'] === 'dry_run') {
    findings.push({
      path: ['policy_mode'],
      message: 'decisions are recorded and not enforced: whoever proves who they are gets in',
    })
  }
  const host = treeAt(root, 'api')['host']
  if (typeof host === 'string' && !isLoopbackHost(host)) {
    findings.push({
      path: ['api', 'host'],
      message: 'the API has no TLS of its own: put a proxy with TLS before it',
    })
  }
  listAt(root, 'targets').forEach((target, index) => {
    const mode = treeAt(target, 'tls')['mode']
    const remote = typeof target['host'] === 'string' && !isLoopbackHost(target['host'])
    if (remote && (mode === 'disable' || mode === 'require')) {
      findings.push({
        path: ['targets', index, 'tls', 'mode'],
        message: `tls.mode ${mode} does not check who the target is`,
      })
    }
  })
  listAt(treeAt(root, 'forward'), 'sinks').forEach((sink, index) => {
    const remote = typeof sink['host'] === 'string' && !isLoopbackHost(sink['host'])
    if (remote && sink['transport'] === 'tcp') {
      findings.push({
        path: ['forward', 'sinks', index, 'transport'],
        message: 'tcp sends the audit trail in the clear',
      })
    }
  })
  return findings
}
