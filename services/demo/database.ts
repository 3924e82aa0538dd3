/**
 * The demonstration's database: a small shop. Statements are run once, by the superuser, straight at the target: this is what an
 * operator would have before Cairn comes.
 */
export const shopSchema = (passwords: {
  readonly reader: string
  readonly migrator: string
}): string => `
create role shop_reader login password '${passwords.reader}';
create role shop_migrator login password '${passwords.migrator}';
create table customers (
  id int primary key generated always as identity,
  name text not null,
  email text not null unique,
  country text not null
);
create table orders (
  id int primary key generated always as identity,
  customer_id int not null references customers,
  status text not null default 'new',
  total_cents int not null,
  placed_at timestamptz not null
);
insert into customers (name, email, country)
select initcap(first || ' ' || last), first || '.' || last || n || '@example.com', (array['DE','FR','NL','PL','SE'])[1 + n % 5]
from generate_series(1, 250) n,
  lateral (select (array['mia','noah','lena','finn','emma','luca','ella','jonas'])[1 + n % 8] as first,
                  (array['berg','keller','novak','lind','dubois','jansen'])[1 + n % 6] as last) names;
insert into orders (customer_id, status, total_cents, placed_at)
select 1 + n % 250, (array['new','paid','shipped','returned'])[1 + n % 4], 500 + (n * 7919) % 20000,
  timestamptz '2026-01-01 00:00:00+00' + n * interval '37 minutes'
from generate_series(1, 2000) n;
alter table customers owner to shop_migrator;
alter table orders owner to shop_migrator;
grant usage, create on schema public to shop_migrator;
grant select on customers, orders to shop_reader;
`
