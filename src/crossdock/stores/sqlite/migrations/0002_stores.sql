-- Tills, and stock with a master elsewhere. Sales from before are not counted among the unseen: a master that had not been told of
-- one when the store was migrated states its stock without it once, until it is told.
create index if not exists level_location on level (location);

create table if not exists unseen (
  sku text not null, location text not null, seen_at integer not null, token text not null, number integer not null,
  master text not null, quantity integer not null,
  primary key (sku, location, seen_at, token, number)
) strict, without rowid;
create index if not exists unseen_token on unseen (token, number) where seen_at = 0;

create table if not exists ticket (
  connection text not null, store text not null, day text not null, till text not null, sequence integer not null,
  subject integer not null, at integer not null, value text not null,
  primary key (connection, store, day, till, sequence)
) strict, without rowid;

create table if not exists pulse (
  connection text not null, store text not null, at integer not null,
  primary key (connection, store)
) strict, without rowid;

drop index if exists mark_ready;
create index mark_ready on mark (connection, marked_at) where state = 0;
