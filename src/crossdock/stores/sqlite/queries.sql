-- Questions, and the few writes that are not part of a program. A bulk question takes one JSON text and gives one back:
-- one step, however many rows (docs/adr/0002).

-- name: find_references
select json_group_array(json_array(j.value->>0, j.value->>1, j.value->>2, r.subject, hex(s.salt)))
from jsonb_each(?1) j
join reference r on r.connection = j.value->>0 and r.kind = j.value->>1 and r.ref = j.value->>2
join subject s on s.no = r.subject;

-- name: find_salts
select json_group_array(json_array(s.no, hex(s.salt))) from jsonb_each(?1) j join subject s on s.no = j.value;

-- name: find_deliveries
select json_group_array(json_array(n.subject, n.source, n.version, n.hash, n.message))
from jsonb_each(?1) j
join seen n on n.subject = j.value->>0 and n.source = j.value->>1 and n.kind = 'delivery'
  and n.version = j.value->>2;

-- name: read_batch_marker
select first, size, crashes from batch where worker = ?1;

-- name: ready_ids
select '[' || coalesce(group_concat(id), '') || ']'
from (select id from inbox indexed by inbox_ready where state = 0 order by id limit ?1);

-- name: of_partners
select json_group_array(json_array(i.id)) from jsonb_each(?1) j join inbox i on i.id = j.value where i.source <> ?2;

-- name: read_messages
select '[' || coalesce(group_concat(
  '[' || i.id || ',' || json_quote(i.source) || ',' || json_quote(i.kind) || ',' || i.subject || ',' || i.lane || ','
  || i.attempt || ',' || i.received_at || ',' || i.parent || ',' || i.position || ',' || json_quote(i.origin) || ','
  || json_quote(s.trace) || ',"' || coalesce(hex(s.salt), '') || '"]'), '') || ']'
from jsonb_each(?1) j join inbox i on i.id = j.value join subject s on s.no = i.subject;

-- name: body_sizes
select json_group_array(json_array(b.message, length(b.raw))) from jsonb_each(?1) j join body b on b.message = j.value;

-- name: read_bodies
select '[' || coalesce(group_concat('[' || b.message || ',' || b.headers || ',"' || hex(b.raw) || '"]'), '') || ']'
from jsonb_each(?1) j join body b on b.message = j.value;

-- name: read_holds
select json_group_array(json_array(h.subject, h.source, h.message, i.kind, i.state = 3))
from jsonb_each(?1) j join hold h on h.subject = j.value join inbox i on i.id = h.message;

-- name: load_processes
select '[' || coalesce(group_concat('[' || p.subject || ',' || p.version || ',' || p.value || ']'), '') || ']'
from jsonb_each(?1) j join process p on p.subject = j.value;

-- name: load_levels
select json_group_array(json_array(l.sku, l.location, l.on_hand, l.reserved, l.allocated, l.safety_stock,
  l.quarantined, l.committed_elsewhere, l.incoming, l.as_of))
from jsonb_each(?1) j join level l on l.sku = j.value;

-- name: load_cells
select json_group_array(json_array(l.sku, l.location, l.on_hand, l.reserved, l.allocated, l.safety_stock,
  l.quarantined, l.committed_elsewhere, l.incoming, l.as_of))
from jsonb_each(?1) j join level l on l.sku = j.value->>0 and l.location = j.value->>1;

-- name: load_places
select json_group_array(json_array(l.sku, l.location, l.on_hand, l.reserved, l.allocated, l.safety_stock,
  l.quarantined, l.committed_elsewhere, l.incoming, l.as_of))
from jsonb_each(?1) j join level l on l.location = j.value;

-- name: load_unseen
select json_group_array(json_array(u.sku, u.location, u.seen_at, u.token, u.number, u.master, u.quantity))
from jsonb_each(?1) j join unseen u on u.sku = j.value->>0 and u.location = j.value->>1;

-- name: load_unseen_of_places
select json_group_array(json_array(u.sku, u.location, u.seen_at, u.token, u.number, u.master, u.quantity))
from jsonb_each(?1) j
join level l on l.location = j.value
join unseen u on u.sku = l.sku and u.location = l.location;

-- name: load_untold
select json_group_array(json_array(u.sku, u.location, u.seen_at, u.token, u.number, u.master, u.quantity))
from jsonb_each(?1) j join unseen u on u.token = j.value and u.seen_at = 0;

-- name: load_days
select json_group_array(json_array(r.connection, r.ref, p.stage))
from jsonb_each(?1) j
join reference r on r.connection = j.value->>0 and r.kind = 'store_day' and r.ref = j.value->>1
join process p on p.subject = r.subject;

-- name: load_tickets
select '[' || coalesce(group_concat(
  '[' || json_quote(t.connection) || ',' || json_quote(t.store) || ',' || json_quote(t.day) || ','
  || json_quote(t.till) || ',' || t.sequence || ',' || t.subject || ',' || t.at || ',' || t.value || ']'), '') || ']'
from jsonb_each(?1) j
join ticket t on t.connection = j.value->>0 and t.store = j.value->>1 and t.day = j.value->>2;

-- name: load_runs
select json_group_array(json_array(connection, store, wanted, day, till, first, last)) from (
  select t.connection, t.store, j.value->>2 as wanted, t.day, t.till, min(t.sequence) as first, max(t.sequence) as last
  from jsonb_each(?1) j
  join ticket t on t.connection = j.value->>0 and t.store = j.value->>1 and t.day in (
    select distinct d.day from ticket d
    where d.connection = j.value->>0 and d.store = j.value->>1 and d.day < j.value->>2 order by d.day desc limit 3)
  group by t.connection, t.store, wanted, t.day, t.till);

-- name: load_firsts
select json_group_array(json_array(j.value->>0, j.value->>1, j.value->>2, (
  select t.sequence from ticket t
  where t.connection = j.value->>0 and t.store = j.value->>1 and t.till = j.value->>2
  order by t.day, t.sequence limit 1)))
from jsonb_each(?1) j;

-- name: load_pulses
select json_group_array(json_array(p.connection, p.store, p.at))
from jsonb_each(?1) j join pulse p on p.connection = j.value;

-- name: load_products
select '{' || coalesce(group_concat(json_quote(p.sku) || ':' || p.value), '') || '}'
from jsonb_each(?1) j join product p on p.sku = j.value;

-- name: load_seen
select json_group_array(json_array(n.subject, n.source, n.kind, n.version, n.hash))
from jsonb_each(?1) j
join seen n on n.subject = j.value->>0 and n.source = j.value->>1 and n.kind = j.value->>2
  and n.version = j.value->>3;

-- name: ready_effects
select coalesce(json_group_array(json_array(id, operation, attempt, unclear)), '[]') from (
  select id, operation, attempt, unclear from outbox indexed by outbox_ready where connection = ?1 and state = 0
    and (?3 = '' or operation = ?3) order by id limit ?2);

-- name: read_claimed
select '[' || coalesce(group_concat(
  '[' || o.id || ',' || json_quote(o.connection) || ',' || json_quote(o.operation) || ',' || o.subject || ','
  || json_quote(o.intent) || ',' || o.attempt || ',' || o.unclear || ',' || json_quote(o.resume) || ','
  || o.command || ',' || o.document || ',' || json_quote(s.trace) || ',' || o.lease_until || ',' || o.staged_at
  || ']'), '') || ']'
from jsonb_each(?1) j
join outbox o on o.id = j.value->>0
join subject s on s.no = o.subject;

-- name: read_documents
select json_group_array(json_array(d.id / 1024, d.id % 1024, d.value, hex(d.party), hex(s.salt)))
from jsonb_each(?1) j
join document d on d.id = (j.value->>0) * 1024 + (j.value->>1)
join subject s on s.no = j.value->>0;

-- name: ready_marks
select json_group_array(json_array(connection, operation, key, attempt, marked_at, sent)) from (
  select connection, operation, key, attempt, marked_at, sent from mark indexed by mark_ready
  where connection = ?1 and state = 0 order by marked_at, operation, key limit ?2);

-- name: read_case
select subject, reason, about, source, message, effect, closed_at from case_file where id = ?1;

-- name: read_cursor
select value from cursor where connection = ?1 and feed = ?2;

-- name: wake_inbox
update inbox set state = 0 where state = 1 and due_at <= ?1;

-- A case that was opened while the effect was being tried holds it back now.
-- name: wake_outbox
update outbox set state = case when held = 1 and unclear = 0 and exists (
    select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6 else 0 end
where state = 1 and due_at <= ?1;

-- name: wake_marks
update mark set state = 0 where state = 1 and due_at <= ?1;

-- Whoever took it has not said what came of it: the value is absolute, so it is simply sent again.
-- name: retake_marks
update mark set state = 0 where state = 3 and due_at <= ?1;

-- name: next_due
select min(due) from (
  select min(due_at) as due from inbox where state = 1
  union all select min(due_at) from outbox where state = 1
  union all select min(due_at) from mark where state = 1
  union all select min(next_at) from schedule);

-- A feed that is being read, or waits to be, is not asked for once more: after an outage that would be many times over.
-- name: due_schedules
select name, connection, feed, every_us, next_at, exists (
    select 1 from reference r join outbox o on o.subject = r.subject and o.connection = s.connection
    where r.connection = 'hub' and r.kind = 'feed' and r.ref = s.connection || '/' || s.feed) as busy
from schedule s where next_at <= ?1 order by name;

-- name: unfinished_since
select p.subject from process p indexed by process_unfinished join subject s on s.no = p.subject
where p.finished = 0 and s.created_at < ?1 and not exists (
    select 1 from seen n where n.subject = p.subject and n.source = 'hub' and n.kind = 'delivery' and n.version = ?2)
order by p.subject limit ?3;

-- name: late_calls
select connection, operation, count(*), min(staged_at) from outbox
where staged_at < ?1 and (state in (0, 3) or (state in (1, 2) and (attempt > 0 or due_at < ?1))) group by connection, operation
order by connection, operation;

-- name: move_schedule
update schedule set next_at = ?2 where name = ?1;

-- name: put_schedule
insert into schedule (name, connection, feed, every_us, next_at) values (?1, ?2, ?3, ?4, ?5)
on conflict (name) do update set connection = excluded.connection, feed = excluded.feed,
  every_us = excluded.every_us;

-- name: drop_schedules
delete from schedule where name not in (select value from json_each(?1));

-- name: recover_outbox
update outbox set state = 1, unclear = 1, due_at = lease_until + ?1 where state = 3;

-- name: recover_keyed
update outbox set state = 0, due_at = 0
where state = 1 and unclear = 1 and connection || ' ' || operation in (select value from json_each(?1));

-- name: recover_marks
update mark set state = 0, dirty = 0 where state = 3;

-- name: walks
select feed, value from cursor where connection = ?1;

-- Along the table as it is clustered. The size of a blob is known without reading it.
-- name: pass_messages
select m.subject, m.id, m.source, m.handled_at,
  case when m.handled_at < ?4 then (select length(b.raw) from body b where b.message = m.id) end
from message m where (m.subject, m.id) > (?1, ?2) order by m.subject, m.id limit ?3;

-- name: pass_seen
select subject, source, kind, version, at from seen
where (subject, source, kind, version) > (?1, ?2, ?3, ?4) order by subject, source, kind, version limit ?5;

-- name: keep_last_message
insert into meta (name, value) values ('last_message', cast(?1 as text))
on conflict (name) do update set value = cast(max(cast(value as integer), cast(excluded.value as integer)) as text);

-- Never of what is still to be handled, nor of an order that anybody may still have to look into.
-- name: expire_bodies
delete from body where message in (
  select j.value->>1 from jsonb_each(?1) j
  where not exists (
      select 1 from process p where p.subject = j.value->>0 and (p.finished = 0 or p.updated_at >= j.value->>3))
    and not exists (select 1 from outbox o where o.subject = j.value->>0)
    and not exists (select 1 from case_file c where c.subject = j.value->>0 and c.closed_at = 0))
returning message;

-- name: expire_bodies_before_edit
delete from body_before_edit where message in (select value from json_each(?1));

-- name: expire_deliveries
delete from seen where (subject, source, kind, version) in (
  select j.value->>0, j.value->>1, 'delivery', j.value->>2 from jsonb_each(?1) j
  where not exists (select 1 from process p where p.subject = j.value->>0 and p.finished = 0))
returning source;

-- name: subject_salt
select s.no, s.salt from subject s where s.no = ?1;

-- name: read_effect
select connection, operation, subject, intent, attempt, state, document from outbox where id = ?1;

-- name: max_ids
select
  max((select coalesce(max(message), 0) from body),
    coalesce((select cast(value as integer) from meta where name = 'last_message'), 0)) as message,
  (select coalesce(max(no), 0) from subject) as subject;

-- name: erase_bodies
update body set raw = zeroblob(0), headers = '{}' where message in (
  select id from message where subject = ?1 union all select id from inbox where subject = ?1);

-- What the hub has yet to tell itself of a subject: timers and outcomes, not an operator's edit.
-- name: own_bodies
select b.message, b.raw from inbox i join body b on b.message = i.id
where i.subject = ?1 and i.source = 'hub' and i.kind <> 'operator.action';

-- name: put_body
update body set raw = ?2 where message = ?1;

-- Errors and refusals may quote what they are about.
-- name: erase_attempts
update attempt set text = '' where (about = 'message' and id in (
  select id from message where subject = ?1 union all select id from inbox where subject = ?1))
  or (about = 'effect' and id in (select id from effect where subject = ?1));

-- name: case_texts
select id, text from case_file where subject = ?1 and text <> '';

-- name: put_case_text
update case_file set text = ?2 where id = ?1;

-- name: erase_bodies_before_edit
delete from body_before_edit where message in (
  select id from message where subject = ?1 union all select id from inbox where subject = ?1);

-- name: erase_parties
update document set party = zeroblob(0) where id between ?1 * 1024 and ?1 * 1024 + 1023;

-- name: renew_salt
update subject set salt = ?2 where no = ?1;
