-- Time passes, processes die, persons are forgotten.

-- Ids as an array: a plan that was made while the table was empty would else walk all of it, dead rows too, at every wake.
-- name: wake_inbox
update inbox set state = 0, turn = nextval('turn')
where id = any(array(select id from inbox where state = 1 and due_at <= $1::bigint order by due_at limit $2::bigint
  for update skip locked));

-- A case that was opened while the effect was being tried holds it back now.
-- name: wake_outbox
update outbox set turn = nextval('turn'), state = case when held = 1 and unclear = 0 and exists (
    select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6 else 0 end
where id = any(array(select id from outbox where state = 1 and due_at <= $1::bigint order by due_at limit $2::bigint
  for update skip locked));

-- By its place, for its key is of three columns. One that has moved since the statement began is met by the next wake.
-- name: wake_marks
update mark set state = 0, turn = nextval('turn')
where ctid = any(array(select ctid from mark where state = 1 and due_at <= $1::bigint order by due_at limit $2::bigint
  for update skip locked));

-- Whoever took it has not said what came of it: the value is absolute, so it is simply sent again.
-- name: retake_marks
update mark set state = 0, turn = nextval('turn')
where ctid = any(array(select ctid from mark where state = 3 and due_at <= $1::bigint limit $2::bigint
  for update skip locked));

-- name: next_due
select min(due) from (
  select min(due_at) as due from inbox where state = 1
  union all select min(due_at) from outbox where state = 1
  union all select min(due_at) from mark where state = 1
  union all select min(next_at) from schedule) d;

-- A feed that is being read, or waits to be, is not asked for once more: after an outage that would be many times over.
-- name: due_schedules
select s.name, s.connection, s.feed, s.every_us, s.next_at, exists (
    select 1 from reference r join outbox o on o.subject = r.subject and o.connection = s.connection
    where r.connection = 'hub' and r.kind = 'feed' and r.ref = s.connection || '/' || s.feed) as busy
from schedule s where s.next_at <= $1::bigint order by s.name;

-- name: unfinished_since
select p.subject from process p join subject s on s.no = p.subject
where p.finished = 0 and s.created_at < $1::bigint and not exists (
    select 1 from seen n
    where n.subject = p.subject and n.source = 'hub' and n.kind = 'delivery' and n.version = $2::text)
order by p.subject limit $3::bigint;

-- name: late_calls
select connection, operation, count(*)::bigint, min(staged_at) from outbox
where staged_at < $1::bigint and (state in (0, 3) or (state in (1, 2) and (attempt > 0 or due_at < $1::bigint)))
group by connection, operation order by connection, operation;

-- Once, whoever asks.
-- name: move_schedule
update schedule set next_at = $2::bigint where name = $1::text and next_at = $3::bigint;

-- name: put_schedule
insert into schedule (name, connection, feed, every_us, next_at)
values ($1::text, $2::text, $3::text, $4::bigint, $5::bigint)
on conflict (name) do update set connection = excluded.connection, feed = excluded.feed, every_us = excluded.every_us;

-- name: drop_schedules
delete from schedule where not (name = any($1::text[]));

-- name: drop_all_schedules
delete from schedule;

-- name: read_cursor
select value from cursor where connection = $1::text and feed = $2::text;

-- name: dispatchers_alive
select owner from member where kind = 'connection' and until > clock_timestamp();

-- What the dead had claimed: it may have happened. $3: of this process too, which has just begun and has claimed nothing.
-- In no order: a plan that was made while the table was empty would else walk all of its key for it. Nobody waits for locks.
-- name: recover_outbox
update outbox set state = 1, unclear = 1, due_at = lease_until + $1::bigint
where id = any(array(
  select id from outbox o where o.state = 3 and (o.owner = $3::text or (o.owner <> $2::text and not exists (
    select 1 from member m where m.kind = 'connection' and m.owner = o.owner and m.until > clock_timestamp())))
  for update skip locked));

-- name: recover_keyed
update outbox set state = 0, due_at = 0, turn = nextval('turn')
where id = any(array(
  select id from outbox where state = 1 and unclear = 1 and lease_until > 0
    and connection || ' ' || operation = any($1::text[])
  for update skip locked));

-- name: recover_marks
update mark set state = 0, dirty = 0, turn = nextval('turn')
where ctid = any(array(
  select ctid from mark k where k.state = 3 and (k.owner = $2::text or (k.owner <> $1::text and not exists (
    select 1 from member m where m.kind = 'connection' and m.owner = k.owner and m.until > clock_timestamp())))
  for update skip locked));

-- name: walks
select feed, value from cursor where connection = $1::text;

-- Along the table in the order of its key. The size of what is stored outside of its row is known without reading it.
-- name: pass_messages
select m.subject, m.id, m.source, m.handled_at,
  case when m.handled_at < $4::bigint
    then (select octet_length(b.raw)::bigint from body b where b.message = m.id) end
from message m where (m.subject, m.id) > ($1::bigint, $2::bigint) order by m.subject, m.id limit $3::bigint;

-- name: pass_seen
select subject, source, kind, version, at from seen
where (subject, source, kind, version) > ($1::bigint, $2::text, $3::text, $4::text)
order by subject, source, kind, version limit $5::bigint;

-- Never of what is still to be handled, nor of an order that anybody may still have to look into. What is being erased
-- just now is not waited for.
-- name: expire_bodies
delete from body where message in (
  select b.message from unnest($1::bigint[], $2::bigint[], $3::bigint[]) g(subject, message, moment)
  join body b on b.message = g.message
  where not exists (
      select 1 from process p where p.subject = g.subject and (p.finished = 0 or p.updated_at >= g.moment))
    and not exists (select 1 from outbox o where o.subject = g.subject)
    and not exists (select 1 from case_file c where c.subject = g.subject and c.closed_at = 0)
  order by b.message for update of b skip locked)
returning message;

-- name: expire_bodies_before_edit
delete from body_before_edit where message = any($1::bigint[]);

-- name: expire_deliveries
delete from seen n using unnest($1::bigint[], $2::text[], $3::text[]) g(subject, source, version)
where n.subject = g.subject and n.source = g.source and n.kind = 'delivery' and n.version = g.version
  and not exists (select 1 from process p where p.subject = g.subject and p.finished = 0)
returning n.source;

-- name: subject_salt
select no, salt from subject where no = $1::bigint;

-- name: erase_bodies
update body set raw = ''::bytea, headers = '{}' where message in (
  select id from message where subject = $1::bigint union all select id from inbox where subject = $1::bigint);

-- What the hub has yet to tell itself of a subject: timers and outcomes, not an operator's edit.
-- name: own_bodies
select b.message, b.raw from inbox i join body b on b.message = i.id
where i.subject = $1::bigint and i.source = 'hub' and i.kind <> 'operator.action';

-- Errors and refusals may quote what they are about.
-- name: erase_attempts
update attempt set text = '' where (about = 'message' and id in (
  select id from message where subject = $1::bigint union all select id from inbox where subject = $1::bigint))
  or (about = 'effect' and id in (select id from effect where subject = $1::bigint));

-- name: case_texts
select id, text from case_file where subject = $1::bigint and text <> '';

-- name: put_case_text
update case_file set text = $2::text where id = $1::bigint;

-- name: erase_bodies_before_edit
delete from body_before_edit where message in (
  select id from message where subject = $1::bigint union all select id from inbox where subject = $1::bigint);

-- name: erase_parties
update document set party = ''::bytea where id between $1::bigint * 1024 and $1::bigint * 1024 + 1023;

-- name: renew_salt
update subject set salt = $2::bytea where no = $1::bigint;

-- The longest transaction open, in seconds, how many there are, who holds it, and how many sessions may have one that we
-- may not see: dead rows of this database stay until it ends.
-- name: oldest_transaction
select coalesce(max(seconds), 0), count(seconds), coalesce((array_agg(who order by seconds desc nulls last))[1], ''),
  count(*) filter (where hidden)
from (
  select extract(epoch from clock_timestamp() - xact_start)::bigint as seconds,
    format('pid %s, user %s, application %s', pid, usename, coalesce(nullif(application_name, ''), 'unnamed')) as who,
    not (pg_has_role(usesysid, 'usage') or pg_has_role('pg_read_all_stats', 'usage')) as hidden
  from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and coalesce(backend_type, 'client backend') = 'client backend'
  union all
  select extract(epoch from clock_timestamp() - prepared)::bigint, format('prepared as %s, user %s', gid, owner), false
  from pg_prepared_xacts where database = current_database()) held;

-- name: tell_partners
insert into partner (connection, state) select t.connection, t.state from unnest($1::text[], $2::text[]) t(connection, state)
on conflict (connection) do update set state = excluded.state, at = clock_timestamp();

-- name: partner_states
select connection, state, (extract(epoch from clock_timestamp() - at) * 1000000)::bigint from partner;
