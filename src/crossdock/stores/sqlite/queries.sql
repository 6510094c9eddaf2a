-- Bulk statements take one JSON text and are one step each: SQLite then works through hundreds of rows without the
-- interpreter's lock (docs/adr/0002). Reads give one JSON text back, for the same reason.

-- name: find_references
select json_group_array(json_array(j.value->>0, j.value->>1, j.value->>2, r.subject, hex(s.salt)))
from json_each(?1) j
join reference r on r.connection = j.value->>0 and r.kind = j.value->>1 and r.ref = j.value->>2
join subject s on s.no = r.subject;

-- name: find_salts
select json_group_array(json_array(s.no, hex(s.salt))) from json_each(?1) j join subject s on s.no = j.value;

-- name: add_subjects
insert into subject (no, salt, trace, created_at)
select value->>0, unhex(value->>1), value->>2, value->>3 from json_each(?1);

-- name: add_references
insert into reference (connection, kind, ref, subject)
select value->>0, value->>1, value->>2, value->>3 from json_each(?1) where true
on conflict do nothing;

-- name: find_deliveries
select json_group_array(json_array(n.subject, n.source, n.version, n.hash, n.message))
from json_each(?1) j
join seen n on n.subject = j.value->>0 and n.source = j.value->>1 and n.kind = 'delivery'
  and n.version = j.value->>2;

-- name: add_seen
insert into seen (subject, source, kind, version, hash, message, at)
select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6 from json_each(?1) where true
on conflict do nothing;

-- name: add_inbox
insert into inbox (id, source, kind, subject, lane, state, due_at, attempt, received_at, parent, position, origin)
select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, 0, value->>7, value->>8,
  value->>9, value->>10
from json_each(?1);

-- name: add_bodies
insert into body (message, headers, raw)
select value->>0, value->>1, substr(?2, value->>2, value->>3) from json_each(?1);

-- name: count
insert into counter (source, name, value) select value->>0, value->>1, value->>2 from json_each(?1) where true
on conflict (source, name) do update set value = value + excluded.value;

-- name: read_batch_marker
select first, size, crashes from batch where worker = ?1;

-- name: set_batch_marker
insert into batch (worker, first, size, crashes) values (?1, ?2, ?3, ?4)
on conflict (worker) do update set first = excluded.first, size = excluded.size, crashes = excluded.crashes;

-- name: clear_batch_marker
delete from batch where worker = ?1;

-- name: ready_ids
select '[' || coalesce(group_concat(id), '') || ']'
from (select id from inbox indexed by inbox_ready where state = 0 order by id limit ?1);

-- name: read_messages
select '[' || coalesce(group_concat(
  '[' || i.id || ',' || json_quote(i.source) || ',' || json_quote(i.kind) || ',' || i.subject || ',' || i.lane || ','
  || i.attempt || ',' || i.received_at || ',' || i.parent || ',' || i.position || ',' || json_quote(i.origin) || ','
  || json_quote(s.trace) || ',"' || coalesce(hex(s.salt), '') || '"]'), '') || ']'
from json_each(?1) j join inbox i on i.id = j.value join subject s on s.no = i.subject;

-- name: read_bodies
select '[' || coalesce(group_concat('[' || b.message || ',' || b.headers || ',"' || hex(b.raw) || '"]'), '') || ']'
from json_each(?1) j join body b on b.message = j.value;

-- name: read_holds
select json_group_array(json_array(h.subject, h.source, h.message, i.kind, i.state = 3))
from json_each(?1) j join hold h on h.subject = j.value join inbox i on i.id = h.message;

-- name: load_processes
select '[' || coalesce(group_concat('[' || p.subject || ',' || p.version || ',' || p.value || ']'), '') || ']'
from json_each(?1) j join process p on p.subject = j.value;

-- name: load_levels
select json_group_array(json_array(l.sku, l.location, l.on_hand, l.reserved, l.allocated, l.safety_stock,
  l.quarantined, l.committed_elsewhere, l.incoming, l.as_of))
from json_each(?1) j join level l on l.sku = j.value;

-- name: load_products
select '{' || coalesce(group_concat(json_quote(p.sku) || ':' || p.value), '') || '}'
from json_each(?1) j join product p on p.sku = j.value;

-- name: load_seen
select json_group_array(json_array(n.subject, n.source, n.kind, n.version, n.hash))
from json_each(?1) j
join seen n on n.subject = j.value->>0 and n.source = j.value->>1 and n.kind = j.value->>2
  and n.version = j.value->>3;

-- name: finish_messages
insert into message (id, source, kind, subject, received_at, handled_at, outcome, note, attempts, parent, position,
  origin)
select i.id, i.source, i.kind, i.subject, i.received_at, ?2, j.value->>1, j.value->>2, i.attempt + 1, i.parent,
  i.position, i.origin
from json_each(?1) j join inbox i on i.id = j.value->>0;

-- name: leave_inbox
delete from inbox where id in (select value from json_each(?1));

-- name: set_inbox_state
update inbox set state = j.value->>1, due_at = j.value->>2, attempt = attempt + (j.value->>3)
from json_each(?1) j where inbox.id = j.value->>0;

-- name: add_holds
insert into hold (subject, source, message, reason)
select value->>0, value->>1, value->>2, value->>3 from json_each(?1) where true
on conflict (subject, source) do update set message = excluded.message, reason = excluded.reason;

-- name: drop_holds
delete from hold where exists (
  select 1 from json_each(?1) j where j.value->>0 = hold.subject and j.value->>1 = hold.source);

-- name: free_streams
update inbox set state = 0 from json_each(?1) j
where inbox.subject = j.value->>0 and inbox.source = j.value->>1 and inbox.state = 2;

-- name: stream_members
select id, kind, state from inbox where subject = ?1 and source = ?2 and state >= 1 order by id;

-- name: add_attempts
insert into attempt (about, id, number, at, kind, text)
select value->>0, value->>1, value->>2, ?2, value->>3, value->>4 from json_each(?1) where true
on conflict do nothing;

-- name: add_processes
insert into process (subject, version, value, connection, external_id, number, commitment, custody, money, stage,
  finished, currency, total, placed_at, updated_at)
select value->>0, 1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9,
  value->>10, value->>11, value->>12, value->>13, ?2
from json_each(?1);

-- name: update_processes
update process set version = version + 1, value = j.value->>2, number = j.value->>5, commitment = j.value->>6,
  custody = j.value->>7, money = j.value->>8, stage = j.value->>9, finished = j.value->>10, currency = j.value->>11,
  total = j.value->>12, placed_at = j.value->>13, updated_at = ?2
from json_each(?1) j where process.subject = j.value->>0 and process.version = j.value->>1;

-- name: add_documents
insert into document (id, value, party)
select value->>0, value->>1, substr(?2, value->>2, value->>3) from json_each(?1) where true
on conflict (id) do update set value = excluded.value, party = excluded.party;

-- name: put_levels
insert into level (sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere,
  incoming, as_of)
select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9
from json_each(?1) where true
on conflict (sku, location) do update set on_hand = excluded.on_hand, reserved = excluded.reserved,
  allocated = excluded.allocated, safety_stock = excluded.safety_stock, quarantined = excluded.quarantined,
  committed_elsewhere = excluded.committed_elsewhere, incoming = excluded.incoming, as_of = excluded.as_of;

-- name: put_products
insert into product (sku, value) select value->>0, value->>1 from json_each(?1) where true
on conflict (sku) do update set value = excluded.value;

-- name: add_movements
insert into movement (subject, message, position, sku, location, bucket, quantity, reason, at)
select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8
from json_each(?1);

-- name: add_postings
insert into posting (subject, message, position, currency, reason, entries, at)
select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6 from json_each(?1);

-- name: add_events
insert into event (subject, message, position, type, data, at)
select value->>0, value->>1, value->>2, value->>3, value->>4, ?2 from json_each(?1);

-- name: add_effects
insert into effect (subject, connection, operation, intent, id, message, staged_at)
select value->>3, value->>1, value->>2, value->>4, value->>0, value->>9, ?2 from json_each(?1) where true
on conflict do nothing;

-- name: add_outbox
insert into outbox (id, connection, operation, subject, intent, state, due_at, attempt, lease_until, unclear, resume,
  held, command, document, staged_at)
select value->>0, value->>1, value->>2, value->>3, value->>4,
  case
    when (value->>6) and exists (
      select 1 from case_file c where c.subject = value->>3 and c.closed_at = 0) then 6
    when (value->>10) or exists (
      select 1 from outbox o where o.subject = value->>3 and o.connection = value->>1) then 2
    when (value->>5) > ?2 then 1
    else 0
  end,
  value->>5, 0, 0, 0, '', value->>6, value->>7, value->>8, ?2
from json_each(?1) j
where exists (
  select 1 from effect e
  where e.subject = j.value->>3 and e.connection = j.value->>1 and e.operation = j.value->>2
    and e.intent = j.value->>4 and e.id = j.value->>0);

-- name: release_heads
update outbox set state = case when due_at > ?2 then 1 else 0 end
where state = 2 and id in (
  select min(o.id) from json_each(?1) j
  join outbox o on o.subject = j.value->>0 and o.connection = j.value->>1
  group by o.subject, o.connection);

-- name: hold_effects
update outbox set state = 6
where held = 1 and state in (0, 1) and subject in (select value from json_each(?1))
  and exists (select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0);

-- name: unhold_effects
update outbox set state = case when exists (
    select 1 from outbox o
    where o.subject = outbox.subject and o.connection = outbox.connection and o.id < outbox.id) then 2
  when due_at > ?2 then 1 else 0 end
where state = 6 and subject in (select value from json_each(?1))
  and not exists (select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0);

-- name: ready_effects
select '[' || coalesce(group_concat(id), '') || ']' from (
  select id from outbox indexed by outbox_ready where connection = ?1 and state = 0 order by id limit ?2);

-- name: claim_effects
update outbox set state = 3, lease_until = j.value->>1, attempt = attempt + 1
from json_each(?1) j where outbox.id = j.value->>0 and outbox.state = 0;

-- name: read_claimed
select '[' || coalesce(group_concat(
  '[' || o.id || ',' || json_quote(o.connection) || ',' || json_quote(o.operation) || ',' || o.subject || ','
  || json_quote(o.intent) || ',' || o.attempt || ',' || o.unclear || ',' || json_quote(o.resume) || ','
  || o.command || ',' || o.document || ',' || coalesce(d.value, 'null') || ',"' || coalesce(hex(d.party), '') || '",'
  || json_quote(s.trace) || ',"' || coalesce(hex(s.salt), '') || '",' || o.lease_until || ',' || o.staged_at
  || ']'), '') || ']'
from json_each(?1) j
join outbox o on o.id = j.value->>0
join subject s on s.no = o.subject
left join document d on o.document > 0 and d.id = o.subject * 1024 + o.document;

-- name: finish_effects
update effect set done_at = ?2, outcome = j.value->>5, reference = j.value->>6, attempts = j.value->>7
from json_each(?1) j
where effect.subject = j.value->>1 and effect.connection = j.value->>2 and effect.operation = j.value->>3
  and effect.intent = j.value->>4;

-- name: leave_outbox
delete from outbox where id in (select value->>0 from json_each(?1));

-- name: set_outbox_state
update outbox set state = j.value->>1, due_at = j.value->>2, attempt = attempt - (j.value->>3), unclear = j.value->>4,
  resume = j.value->>5, lease_until = 0
from json_each(?1) j where outbox.id = j.value->>0;

-- name: put_marks
insert into mark (connection, operation, key, state, due_at, attempt, marked_at, dirty, sent, sent_at)
select value->>0, value->>1, value->>2, 0, 0, 0, ?2, 0, '', 0 from json_each(?1) where true
on conflict (connection, operation, key) do update set
  state = case when state = 4 then 0 else state end, dirty = case when state = 3 then 1 else dirty end,
  marked_at = case when state = 4 then excluded.marked_at else marked_at end;

-- name: ready_marks
select json_group_array(json_array(connection, operation, key, attempt, marked_at, sent)) from (
  select connection, operation, key, attempt, marked_at, sent from mark indexed by mark_ready
  where connection = ?1 and state = 0 order by operation, key limit ?2);

-- name: claim_marks
update mark set state = 3, dirty = 0, due_at = j.value->>3, attempt = attempt + 1
from json_each(?1) j
where mark.connection = j.value->>0 and mark.operation = j.value->>1 and mark.key = j.value->>2;

-- name: settle_marks
update mark set
  state = case when dirty = 1 then 0 else j.value->>3 end, due_at = j.value->>4,
  attempt = case when j.value->>3 = 4 then 0 else attempt end,
  sent = coalesce(j.value->>5, sent), sent_at = case when j.value->>5 is null then sent_at else ?2 end,
  marked_at = case when dirty = 1 then ?2 else marked_at end, dirty = 0
from json_each(?1) j
where mark.connection = j.value->>0 and mark.operation = j.value->>1 and mark.key = j.value->>2;

-- name: open_cases
insert into case_file (subject, reason, about, field, text, source, message, effect, opened_at, closed_at, owner,
  resolution)
select value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, ?2, 0, '', ''
from json_each(?1) where true
on conflict (subject, reason, about) where closed_at = 0 do update set text = excluded.text, field = excluded.field,
  message = excluded.message;

-- name: close_cases
update case_file set closed_at = ?2, resolution = j.value->>3
from json_each(?1) j
where case_file.subject = j.value->>0 and case_file.reason = j.value->>1 and case_file.about = j.value->>2
  and case_file.closed_at = 0;

-- name: close_message_cases
update case_file set closed_at = ?2, resolution = ?3
where closed_at = 0 and message in (select value from json_each(?1)) and about = 'message ' || message;

-- name: close_effect_cases
update case_file set closed_at = ?2, resolution = ?3
where closed_at = 0 and effect in (select value->>0 from json_each(?1))
  and subject in (select value->>1 from json_each(?1));

-- name: read_case
select subject, reason, about, source, message, effect, closed_at from case_file where id = ?1;

-- name: close_case
update case_file set closed_at = ?2, resolution = ?3, owner = ?4 where id = ?1 and closed_at = 0;

-- name: set_cursor
insert into cursor (connection, feed, value, at) values (?1, ?2, ?3, ?4)
on conflict (connection, feed) do update set value = excluded.value, at = excluded.at;

-- name: read_cursor
select value from cursor where connection = ?1 and feed = ?2;

-- name: wake_inbox
update inbox set state = 0 where state = 1 and due_at <= ?1;

-- name: wake_outbox
update outbox set state = 0 where state = 1 and due_at <= ?1;

-- name: wake_marks
update mark set state = 0 where state = 1 and due_at <= ?1;

-- name: next_due
select min(due) from (
  select min(due_at) as due from inbox where state = 1
  union all select min(due_at) from outbox where state = 1
  union all select min(due_at) from mark where state = 1
  union all select min(next_at) from schedule);

-- name: due_schedules
select name, connection, feed, every_us from schedule where next_at <= ?1 order by name;

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

-- name: recover_marks
update mark set state = 0, dirty = 0 where state = 3;

-- name: keep_body_before_edit
insert into body_before_edit (message, at, actor, raw) select message, ?2, ?3, raw from body where message = ?1;

-- name: replace_body
update body set raw = ?2 where message = ?1;

-- name: subject_salt
select s.no, s.salt from subject s where s.no = ?1;

-- name: retry_message
update inbox set state = 0, attempt = 0, due_at = 0 where id = ?1 and state = 3;

-- name: retry_effect
update outbox set state = 0, attempt = 0, due_at = 0, unclear = ?2 where id = ?1 and state in (4, 5);

-- name: read_effect
select connection, operation, subject, intent, attempt, state, document from outbox where id = ?1;

-- name: max_ids
select
  (select coalesce(max(message), 0) from body) as message,
  (select coalesce(max(no), 0) from subject) as subject;

-- name: erase_bodies
update body set raw = zeroblob(0), headers = '{}' where message in (
  select id from message where subject = ?1 union all select id from inbox where subject = ?1);

-- name: erase_bodies_before_edit
delete from body_before_edit where message in (
  select id from message where subject = ?1 union all select id from inbox where subject = ?1);

-- name: erase_parties
update document set party = zeroblob(0) where id between ?1 * 1024 and ?1 * 1024 + 1023;

-- name: renew_salt
update subject set salt = ?2 where no = ?1;
