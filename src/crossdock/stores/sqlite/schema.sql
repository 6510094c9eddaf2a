-- The whole schema. Hot rows (inbox, outbox, mark, hold) are few and leave when they are finished; history is only ever
-- appended to, under integer keys that grow, or clustered by subject. Times are microseconds since 1970 UTC.

create table meta (name text primary key, value text not null) strict, without rowid;

-- What messages are serial by. salt makes the key of all that is sealed for it; null once the person was erased.
create table subject (no integer primary key, salt blob, trace text not null, created_at integer not null) strict;

create table reference (
  connection text not null, kind text not null, ref text not null, subject integer not null,
  primary key (connection, kind, ref)
) strict, without rowid;

-- state: 0 ready, 1 delayed until due_at, 2 waiting behind the head of its stream, 3 parked
create table inbox (
  id integer primary key, source text not null, kind text not null, subject integer not null, lane integer not null,
  state integer not null check (state between 0 and 3), due_at integer not null, attempt integer not null,
  received_at integer not null, parent integer not null, position integer not null, origin text not null
) strict;
create index inbox_ready on inbox (state) where state = 0;
create index inbox_delayed on inbox (due_at) where state = 1;
create index inbox_stream on inbox (subject, source) where state >= 1;

create table body (message integer primary key, headers text not null, raw blob not null) strict;

-- Raw bytes as they were before an operator's edit.
create table body_before_edit (
  message integer not null, at integer not null, actor text not null, raw blob not null,
  primary key (message, at)
) strict, without rowid;

create table message (
  id integer not null, source text not null, kind text not null, subject integer not null,
  received_at integer not null, handled_at integer not null, outcome text not null, note text not null,
  attempts integer not null, parent integer not null, position integer not null, origin text not null,
  primary key (subject, id)
) strict, without rowid;

-- Versions of things, for ever; deliveries (kind 'delivery') for a time (docs/adr/0012). No raw data.
create table seen (
  subject integer not null, source text not null, kind text not null, version text not null, hash text not null,
  message integer not null, at integer not null,
  primary key (subject, source, kind, version)
) strict, without rowid;
-- An API's key is its caller's own, whichever order it is used for. Only such rows stand in this index.
create index seen_api_key on seen (version) where source = 'api' and kind = 'delivery';

create table hold (
  subject integer not null, source text not null, message integer not null, reason text not null,
  primary key (subject, source)
) strict, without rowid;

create table attempt (
  about text not null, id integer not null, number integer not null, at integer not null, kind text not null,
  text text not null,
  primary key (about, id, number, at)
) strict, without rowid;

create table process (
  subject integer primary key, version integer not null, value text not null, connection text not null,
  external_id text not null, number text not null, commitment text not null, custody text not null,
  money text not null, stage text not null, finished integer not null, currency text not null, total integer not null,
  placed_at integer not null, updated_at integer not null
) strict;
create index process_unfinished on process (stage, subject) where finished = 0;

-- id = subject * 1024 + version: one version of an order's document after the other, side by side.
create table document (id integer primary key, value text not null, party blob not null) strict;

create table level (
  sku text not null, location text not null, on_hand integer not null, reserved integer not null check (reserved >= 0),
  allocated integer not null check (allocated >= 0), safety_stock integer not null, quarantined integer not null,
  committed_elsewhere integer not null, incoming integer not null, as_of integer not null,
  primary key (sku, location)
) strict, without rowid;

create index level_location on level (location);

-- What has moved on hand and the location's master may not have seen (docs/adr/0009): its statements are rebased by it. seen_at:
-- 0 while the master has not been told; else the moment from which on its statements hold it. token names what tells the
-- master, number the ticket within a store day. Rows leave with the first statement that holds them.
create table unseen (
  sku text not null, location text not null, seen_at integer not null, token text not null, number integer not null,
  master text not null, quantity integer not null,
  primary key (sku, location, seen_at, token, number)
) strict, without rowid;
create index unseen_token on unseen (token, number) where seen_at = 0;

create table product (sku text primary key, value text not null) strict, without rowid;

create table movement (
  subject integer not null, message integer not null, position integer not null, sku text not null,
  location text not null, bucket text not null, quantity integer not null, reason text not null, at integer not null,
  primary key (subject, message, position)
) strict, without rowid;

create table posting (
  subject integer not null, message integer not null, position integer not null, currency text not null,
  reason text not null, entries text not null, at integer not null,
  primary key (subject, message, position)
) strict, without rowid;

-- What each till ticket adds to its store's day: written once, never changed, clustered by day. A day's sums are derived
-- from these rows when it is counted, so tickets of one day never contend for a row. day is the business date,
-- '2026-03-29'; value is JSON that only flows read. The day itself is a subject with a process like an order's: the
-- reference (connection, 'store_day', 'store/day') names it, and its process.stage says whether it is open.
create table ticket (
  connection text not null, store text not null, day text not null, till text not null, sequence integer not null,
  subject integer not null, at integer not null, value text not null,
  primary key (connection, store, day, till, sequence)
) strict, without rowid;

-- When each store was heard last: a handful of rows, the later time wins.
create table pulse (
  connection text not null, store text not null, at integer not null,
  primary key (connection, store)
) strict, without rowid;

create table event (
  subject integer not null, message integer not null, position integer not null, type text not null,
  data text not null, at integer not null,
  primary key (subject, message, position)
) strict, without rowid;

-- One row per effect key, for ever; id is its row in the outbox while it is unfinished.
create table effect (
  subject integer not null, connection text not null, operation text not null, intent text not null,
  id integer not null, message integer not null, staged_at integer not null, done_at integer not null default 0,
  outcome text not null default '', reference text not null default '', attempts integer not null default 0,
  primary key (subject, connection, operation, intent)
) strict, without rowid;

-- state: 0 ready, 1 delayed, 2 behind an earlier one of its key, 3 claimed, 4 parked, 5 in doubt, 6 held by a case
create table outbox (
  id integer primary key, connection text not null, operation text not null, subject integer not null,
  intent text not null, state integer not null check (state between 0 and 6), due_at integer not null,
  attempt integer not null, lease_until integer not null, unclear integer not null, resume text not null,
  held integer not null, command text not null, document integer not null, staged_at integer not null
) strict;
create index outbox_ready on outbox (connection) where state = 0;
create index outbox_delayed on outbox (due_at) where state = 1;
create index outbox_claimed on outbox (state) where state = 3;
create index outbox_key on outbox (subject, connection, staged_at);
create index outbox_held on outbox (subject) where state = 6;

-- state: 0 ready, 1 delayed, 3 claimed, 4 sent. dirty: marked again while it was claimed.
create table mark (
  connection text not null, operation text not null, key text not null, state integer not null,
  due_at integer not null, attempt integer not null, marked_at integer not null, dirty integer not null,
  sent text not null, sent_at integer not null,
  primary key (connection, operation, key)
) strict, without rowid;
-- In the order marked: by their keys, those that change all the time would keep others waiting for ever.
create index mark_ready on mark (connection, marked_at) where state = 0;
create index mark_delayed on mark (due_at) where state = 1;
create index mark_claimed on mark (state) where state = 3;

create table case_file (
  id integer primary key, subject integer not null, reason text not null, about text not null, field text not null,
  text text not null, source text not null, message integer not null, effect integer not null,
  opened_at integer not null, closed_at integer not null, owner text not null, resolution text not null
) strict;
create unique index case_open on case_file (subject, reason, about) where closed_at = 0;
create index case_subject on case_file (subject);
create index case_message on case_file (message) where closed_at = 0;

create table schedule (
  name text primary key, connection text not null, feed text not null, every_us integer not null,
  next_at integer not null
) strict, without rowid;

create table cursor (
  connection text not null, feed text not null, value text not null, at integer not null,
  primary key (connection, feed)
) strict, without rowid;

create table counter (
  source text not null, name text not null, value integer not null,
  primary key (source, name)
) strict, without rowid;

-- The batch that a worker is at, written before it begins: what a dead worker was at is known.
create table batch (worker integer primary key, first integer not null, size integer not null, crashes integer not null)
strict;
