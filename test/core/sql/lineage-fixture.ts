import { handCatalog, ownFunction } from './lineage-catalog.ts'

/** Tables, views and functions of every kind that lineage tells apart. */
export const catalog = handCatalog(
  {
    people: { columns: 'id:23 name email ssn salary:23 tags:1009 doc:3802' },
    orders: { columns: 'id:23 person_id:23 total:23 note' },
    audit: { columns: 'at:1184 what', schema: 'log' },
    emails: {
      columns: 'id:23 mail',
      definition:
        ' SELECT people.id,\n    lower(people.email) AS mail\n   FROM public.people\n  WHERE (people.ssn IS NOT NULL);',
    },
    rich: {
      columns: 'mail n:20',
      definition:
        ' SELECT emails.mail,\n    count(*) AS n\n   FROM public.emails\n  GROUP BY emails.mail;',
    },
    totals: {
      columns: 'email sum:20',
      kind: 'materialized_view',
      definition:
        ' SELECT p.email,\n    sum(o.total) AS sum\n   FROM (public.orders o\n     JOIN public.people p ON ((p.id = o.person_id)))\n  GROUP BY p.email;',
    },
    staff: { columns: 'id:23 email badge', parents: ['humans'] },
    humans: { columns: 'id:23 email', kind: 'partitioned_table' },
    made: {
      columns: 'first last whole',
      generated: { whole: "((first || ' '::text) || last)" },
    },
    broken: { columns: 'a b', definition: ' SELECT a FROM public.people;' },
    gone: { columns: 'a', definition: ' SELECT a FROM public.nowhere;' },
    pg_stats: { columns: 'tablename most_common_vals', schema: 'pg_catalog', kind: 'view' },
    pg_class: { columns: 'oid:26 relname', schema: 'pg_catalog' },
  },
  [ownFunction('leak'), ownFunction('grade')],
)
