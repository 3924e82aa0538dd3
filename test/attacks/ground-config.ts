import type { LocalIssuer } from '../support/local-issuer.ts'
import type { TestPostgres } from '../support/postgres.ts'

/** What stands in the target and must not come out. Each is found nowhere else. */
export const planted = {
  email: 'planted.mail.4711@hidden.example',
  ssn: '987-65-4320',
  /** A number that is no card, so that only the rule about its column hides it. */
  salary: '31337313',
  note: 'planted note 90817',
  /** In a table that a policy denies. */
  wage: '77712345',
} as const

export const planted_schema = `
  create table orders (id int primary key, item text);
  insert into orders values (1, 'lamp'), (2, 'chair');
  create table people (id int primary key, name text, email text, ssn text, salary int, note text);
  insert into people values (1, 'ana', '${planted.email}', '${planted.ssn}', ${planted.salary}, '${planted.note}');
  insert into people (id, name, email) values (2, 'ben', 'shown@open.example');
  create table wages (id int, amount int);
  insert into wages values (1, ${planted.wage});
  create view wage_view as select amount from wages;
  create view people_view as select id, email as contact, ssn from people;
  create function wage_total() returns bigint language sql as $$ select sum(amount) from wages $$;
  create function wage_hidden() returns bigint language plpgsql as
    $$ declare r bigint; begin execute 'select sum(amount) from wa' || 'ges' into r; return r; end $$;
  create function drop_orders() returns void language plpgsql as $$ begin execute 'drop table or' || 'ders'; end $$;
  create function mail_of(people) returns text language sql as $$ select $1.email $$;
  create materialized view people_kept as select id, email, salary from people;
  create schema other;
  create table other.orders (id int, item text);
  analyze people`

/** As GitHub's preset has it: the file and its ref, since any file may take any name. */
const deploy_workflow = 'acme/shop/.github/workflows/deploy.yml@refs/heads/main'

/** Statements that a job needs and that touch no data by themselves. */
const session_actions = [
  'begin',
  'commit',
  'rollback',
  'rollback_to',
  'savepoint',
  'release',
  'transaction',
  'set',
  'show',
  'explain',
  'prepare',
  'execute',
  'deallocate',
  'discard',
  'cursor',
  'cursor.*',
  'listen',
  'notify',
  'copy.in',
  'copy.out',
]

export type AttackParts = {
  readonly postgres: TestPostgres
  readonly ci: LocalIssuer
  readonly people: LocalIssuer
  readonly syslog_port: number
}

/** One target. Behind every role stands its superuser, so that nothing but Cairn says no. */
export const attackConfig = ({
  postgres,
  ci,
  people,
  syslog_port,
}: AttackParts): Record<string, unknown> => ({
  deployment: 'attacks',
  issuers: [
    ci.config('ci', { clock_skew_s: 0 }),
    people.config('people', { claims: { groups: 'groups', display_name: 'name' } }),
  ],
  credentials: [{ name: 'main', user: postgres.user, password: postgres.password }],
  targets: [
    {
      name: 'main',
      host: postgres.host,
      port: postgres.port,
      tls: { mode: 'disable' },
      default_database: postgres.database,
      roles: [
        { name: 'writer', credential: 'main', sessions_per_token: 100 },
        { name: 'analyst', credential: 'main', sessions_per_token: 100 },
        { name: 'owner', credential: 'main', sessions_per_token: 100 },
        { name: 'pair', credential: 'main', sessions_per_token: 100 },
        {
          name: 'once',
          credential: 'main',
          expect: [
            { repository: 'acme/shop', workflow: deploy_workflow, environment: 'production' },
          ],
        },
      ],
    },
  ],
  policies: [
    {
      name: 'writer-data',
      effect: 'allow',
      issuers: ['ci'],
      roles: ['writer'],
      actions: ['select', 'insert', 'update', 'delete', 'explain', 'lock'],
      objects: ['public.orders', 'public.people', 'public.people_view'],
    },
    {
      name: 'writer-session',
      effect: 'allow',
      issuers: ['ci'],
      roles: ['writer'],
      actions: session_actions,
    },
    {
      name: 'anything',
      effect: 'allow',
      issuers: ['ci', 'people'],
      roles: ['analyst', 'owner', 'pair', 'once'],
      actions: ['*'],
    },
    { name: 'no-wages', effect: 'deny', roles: ['owner'], objects: ['*.wages'] },
    {
      name: 'schema-needs-a-dba',
      effect: 'hold',
      roles: ['owner'],
      actions: ['ddl.*', 'truncate'],
      hold: { groups: ['dba'], quorum: 1, expires_s: 10 },
    },
    {
      name: 'schema-needs-two',
      effect: 'hold',
      roles: ['pair'],
      actions: ['ddl.*', 'truncate'],
      hold: { groups: ['dba'], quorum: 2, expires_s: 10 },
    },
  ],
  masking: {
    rules: [
      {
        name: 'people-private',
        roles: ['analyst', 'writer'],
        columns: ['people.email', 'people.ssn', 'people.salary', 'people.note'],
      },
    ],
  },
  forward: {
    sinks: [{ name: 'siem', transport: 'tcp', host: '127.0.0.1', port: syslog_port }],
  },
  api: {
    roles: [
      { role: 'approver', issuers: ['people'], groups: ['dba', 'dev'] },
      { role: 'auditor', issuers: ['people'], groups: ['audit'] },
      { role: 'developer', issuers: ['people', 'ci'], groups: [] },
    ],
  },
})
