-- The whole schema, to be read: what the migrations together make (a test says so). A store is made by them, never by this.

-- Everything but leases. Hot rows (inbox, outbox, mark, hold) are few and leave when they are finished; history is only ever
-- appended to. Times are microseconds since 1970 UTC. Values are texts of JSON, kept as they were written.
--
-- turn orders what is due: a row gets the next number whenever it becomes due, so that a claim begins where the last one
-- ended, past the dead rows that an open transaction keeps from being cleaned up.

create sequence turn;
create sequence subject_no;
create sequence slot cycle maxvalue 255 minvalue 0 start 0;

-- What messages are serial by. salt makes the key of all that is sealed for it; another one once the person was erased.
create table subject (no bigint primary key, salt bytea not null, trace text not null, created_at bigint not null);

create table reference (
  connection text not null, kind text not null, ref text not null, subject bigint not null,
  primary key (connection, kind, ref)
);

-- state: 0 ready, 1 delayed until due_at, 2 waiting behind the head of its stream, 3 parked. part: its partition.
create table inbox (
  id bigint primary key, source text not null, kind text not null, subject bigint not null, lane smallint not null,
  state smallint not null check (state between 0 and 3), due_at bigint not null, attempt integer not null,
  received_at bigint not null, parent bigint not null, position integer not null, origin text not null,
  part smallint not null, turn bigint not null, size integer not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
create index inbox_ready on inbox (part, turn) where state = 0;
create index inbox_delayed on inbox (due_at) where state = 1;
create index inbox_stream on inbox (subject, source);

create table body (message bigint primary key, headers text not null, raw bytea not null)
with (toast_tuple_target = 8160);
alter table body alter column raw set storage external;

-- Raw bytes as they were before an operator's edit.
create table body_before_edit (
  message bigint not null, at bigint not null, actor text not null, raw bytea not null,
  primary key (message, at)
);

create table message (
  id bigint not null, source text not null, kind text not null, subject bigint not null,
  received_at bigint not null, handled_at bigint not null, outcome text not null, note text not null,
  attempts integer not null, parent bigint not null, position integer not null, origin text not null,
  primary key (subject, id)
);

-- Versions of things, for ever; deliveries (kind 'delivery') for a time (docs/adr/0012). No raw data.
create table seen (
  subject bigint not null, source text not null, kind text not null, version text not null, hash text not null,
  message bigint not null, at bigint not null,
  primary key (subject, source, kind, version)
);
-- An API's key is its caller's own, whichever order it is used for. Only such rows stand in this index.
create index seen_api_key on seen (version) where source = 'api' and kind = 'delivery';

create table hold (
  subject bigint not null, source text not null, message bigint not null, reason text not null,
  primary key (subject, source)
);

create table attempt (
  about text not null, id bigint not null, number integer not null, at bigint not null, kind text not null,
  text text not null,
  primary key (about, id, number, at)
);

create table process (
  subject bigint primary key, version integer not null, value text not null, connection text not null,
  external_id text not null, number text not null, commitment text not null, custody text not null,
  money text not null, stage text not null, finished smallint not null, currency text not null, total bigint not null,
  placed_at bigint not null, updated_at bigint not null
) with (fillfactor = 60, toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);
create index process_unfinished on process (stage, subject) where finished = 0;

-- id = subject * 1024 + version: one version of an order's document after the other, side by side.
create table document (id bigint primary key, value text not null, party bytea not null)
with (toast_tuple_target = 8160);

create table level (
  sku text not null, location text not null, on_hand bigint not null, reserved bigint not null check (reserved >= 0),
  allocated bigint not null check (allocated >= 0), safety_stock bigint not null, quarantined bigint not null,
  committed_elsewhere bigint not null, incoming bigint not null, as_of bigint not null,
  primary key (sku, location)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

create table product (sku text primary key, value text not null);

create table movement (
  subject bigint not null, message bigint not null, position integer not null, sku text not null,
  location text not null, bucket text not null, quantity bigint not null, reason text not null, at bigint not null,
  primary key (subject, message, position)
);

create table posting (
  subject bigint not null, message bigint not null, position integer not null, currency text not null,
  reason text not null, entries text not null, at bigint not null,
  primary key (subject, message, position)
);

-- What each till ticket adds to its store's day: written once, never changed. A day's sums are derived from these rows when
-- it is counted, so tickets of one day never wait for one another.
create table ticket (
  connection text not null, store text not null, day text not null, till text not null, sequence bigint not null,
  subject bigint not null, at bigint not null, value text not null,
  primary key (connection, store, day, till, sequence)
);

-- When each store was heard last: a handful of rows, the later time wins.
create table pulse (
  connection text not null, store text not null, at bigint not null,
  primary key (connection, store)
) with (fillfactor = 50);

create table event (
  subject bigint not null, message bigint not null, position integer not null, type text not null,
  data text not null, at bigint not null,
  primary key (subject, message, position)
);

-- One row per effect key, for ever; id is its row in the outbox while it is unfinished.
create table effect (
  subject bigint not null, connection text not null, operation text not null, intent text not null,
  id bigint not null, message bigint not null, staged_at bigint not null, done_at bigint not null default 0,
  outcome text not null default '', reference text not null default '', attempts integer not null default 0,
  primary key (subject, connection, operation, intent)
) with (fillfactor = 70);

-- state: 0 ready, 1 delayed, 2 behind an earlier one of its key, 3 claimed, 4 parked, 5 in doubt, 6 held by a case.
-- owner: who claimed it last.
create table outbox (
  id bigint primary key, connection text not null, operation text not null, subject bigint not null,
  intent text not null, state smallint not null check (state between 0 and 6), due_at bigint not null,
  attempt integer not null, lease_until bigint not null, unclear smallint not null, resume text not null,
  held smallint not null, command text not null, document bigint not null, staged_at bigint not null,
  owner text not null default '', turn bigint not null default nextval('turn')
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
create index outbox_ready on outbox (connection, turn) where state = 0;
create index outbox_delayed on outbox (due_at) where state = 1;
create index outbox_claimed on outbox (owner) where state = 3;
create index outbox_key on outbox (subject, connection, staged_at);

-- state: 0 ready, 1 delayed, 3 claimed, 4 sent. dirty: marked again while it was claimed.
create table mark (
  connection text not null, operation text not null, key text not null, state smallint not null,
  due_at bigint not null, attempt integer not null, marked_at bigint not null, dirty smallint not null,
  sent text not null, sent_at bigint not null, owner text not null default '', turn bigint not null,
  primary key (connection, operation, key)
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
create index mark_ready on mark (connection, turn) where state = 0;
create index mark_delayed on mark (due_at) where state = 1;
create index mark_claimed on mark (owner) where state = 3;

create table case_file (
  id bigint generated always as identity primary key, subject bigint not null, reason text not null,
  about text not null, field text not null, text text not null, source text not null, message bigint not null,
  effect bigint not null, opened_at bigint not null, closed_at bigint not null, owner text not null,
  resolution text not null
);
create unique index case_open on case_file (subject, reason, about) where closed_at = 0;
create index case_subject on case_file (subject);
create index case_message on case_file (message) where closed_at = 0;

create table schedule (
  name text primary key, connection text not null, feed text not null, every_us bigint not null,
  next_at bigint not null
);

create table cursor (
  connection text not null, feed text not null, value text not null, at bigint not null,
  primary key (connection, feed)
);

-- slot: whose share of the count it is. Each connection to the store counts on rows of its own, so that none waits.
create table counter (
  slot smallint not null, source text not null, name text not null, value bigint not null,
  primary key (slot, source, name)
) with (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Who may do what, by the clock of the database alone: it only ever compares with itself.

-- Whoever takes part in a kind of work. first, size, crashes: the batch that it is at, written before it begins, so that
-- what a dead worker was at is known. rowwise: whether it judges others by `lease.until`, as releases before this column do.
create table member (
  kind text not null, owner text not null, until timestamptz not null, first bigint not null default 0,
  size integer not null default 0, crashes integer not null default 0, rowwise boolean not null default true,
  killed text not null default '',
  primary key (kind, owner)
) with (fillfactor = 40);

-- kind: 'inbox' (part: a partition), 'connection' (part: its name), 'scheduler'. fence grows with every new owner. It is held
-- as long as its owner's member row is renewed: a row that is left alone leaves no dead ones. until is for rowwise members.
create table lease (
  kind text not null, part text not null, owner text not null default '', fence bigint not null default 0,
  until timestamptz not null default '-infinity',
  primary key (kind, part)
) with (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index lease_owner on lease (kind, owner);
insert into lease (kind, part) select 'inbox', n::text from generate_series(0, 63) n;
insert into lease (kind, part) values ('scheduler', '');

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

-- How each partner was when the dispatcher that calls it last told: what a gateway's console shows.
create table partner (
  connection text primary key, state text not null, at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
