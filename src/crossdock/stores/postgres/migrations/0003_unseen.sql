-- statements of: 1
-- What has moved on hand and the location's master may not have seen (docs/adr/0009): its statements are rebased by it. seen_at:
-- 0 while the master has not been told; else the moment from which on its statements hold it. token names what tells the
-- master, number the ticket within a store day. Rows leave with the first statement that holds them.
create table unseen (
  sku text not null, location text not null, seen_at bigint not null, token text not null, number bigint not null,
  master text not null, quantity bigint not null,
  primary key (sku, location, seen_at, token, number)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index unseen_token on unseen (token, number) where seen_at = 0;
create index level_location on level (location);
