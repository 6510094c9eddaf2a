-- statements of: 1
-- Who may do what, by the clock of the database alone: it only ever compares with itself.

-- Whoever takes part in a kind of work. first, size, crashes: the batch that it is at, written before it begins, so that
-- what a dead worker was at is known.
create table member (
  kind text not null, owner text not null, until timestamptz not null, first bigint not null default 0,
  size integer not null default 0, crashes integer not null default 0,
  primary key (kind, owner)
) with (fillfactor = 40);

-- kind: 'inbox' (part: a partition), 'connection' (part: its name), 'scheduler'. fence grows with every new owner.
create table lease (
  kind text not null, part text not null, owner text not null default '', fence bigint not null default 0,
  until timestamptz not null default '-infinity',
  primary key (kind, part)
) with (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index lease_owner on lease (kind, owner);
insert into lease (kind, part) select 'inbox', n::text from generate_series(0, 63) n;
insert into lease (kind, part) values ('scheduler', '');
