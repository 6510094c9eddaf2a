-- statements of: 1
-- How each partner was when the dispatcher that calls it last told: what a gateway's console shows.
create table partner (
  connection text primary key, state text not null, at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
