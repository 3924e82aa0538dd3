import type { Attack } from '../attack.ts'
import { planted } from '../ground-config.ts'
import { queries, sqlAttack } from '../sql-attack.ts'
import { after } from './masking-row.ts'

/** Masked columns in every expression, name and source that SQL has. */
export const masking_expressions: readonly Attack[] = [
  sqlAttack({
    attack: '(not one: columns that nobody masks)',
    role: 'analyst',
    say: queries('select id, name from people'),
    expect: ['recorded'],
  }),
  sqlAttack({
    attack: '(not one: the owner, whom no rule is about)',
    role: 'owner',
    say: queries('select email from people where id = 2'),
    expect: ['recorded'],
  }),
  after('SELECT', 'select email, ssn, salary, note from people'),
  after('SELECT *', 'select * from people'),
  after('an alias', 'select email as id from people'),
  after('a column list of the alias', 'select x from people as p (a, b, x, d, e, f)'),
  after('reverse()', 'select reverse(email) from people'),
  after('upper() in a CTE', 'with w as (select upper(email) as e from people) select e from w'),
  after(
    'encode()',
    "select encode(email::bytea, 'hex'), encode(note::bytea, 'base64') from people",
  ),
  after(
    'substring, one character at a time',
    'select substr(email, 1, 12), substr(email, 13) from people',
  ),
  after('concatenation', "select '<' || email || '>', format('%s', note) from people"),
  after('arithmetic', 'select salary + 0, -salary, salary::text from people'),
  after(
    'an aggregate',
    "select max(email), string_agg(note, ','), sum(salary), array_agg(ssn) from people",
  ),
  after('a window', 'select first_value(email) over (order by id) from people'),
  after('CASE', 'select case when true then email end from people'),
  after(
    'CASE, one bit at a time',
    `select case when email = '${planted.email}' then 'yes' else 'no' end from people`,
  ),
  after('a whole row', 'select p from people p'),
  after('row_to_json', 'select row_to_json(p) from people p'),
  after('to_jsonb of the row', 'select to_jsonb(p.*) from people p'),
  after('a field of a composite', 'select (p).email from (select p from people p) s'),
  after('a function on the row', 'select mail_of(p) from people p'),
  after('a function on the row as if it were a column', 'select p.mail_of from people p'),
  after('a view', 'select contact, ssn from people_view'),
  after('a view, whole', 'select to_json(v) from people_view v'),
  after('a materialized view', 'select email, salary from people_kept'),
  after('a set operation', 'select id::text from people union all select email from people'),
  after('NATURAL JOIN', 'select * from people natural join (select id, email as m from people) q'),
  after('LATERAL', 'select l.e from people p, lateral (select p.email as e) l'),
  after('VALUES with a subquery', 'values ((select email from people limit 1))'),
  after('an array', 'select array(select email from people)'),
  after('unnest', 'select unnest(array[email, note]) from people'),
  after('TABLE', 'table people'),
  after('RETURNING', "update people set name = 'ana' returning email, note"),
  after('RETURNING of the old row', "update people set name = 'ana' returning old.email, new.ssn"),
]
