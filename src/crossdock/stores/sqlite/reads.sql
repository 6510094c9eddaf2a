-- What the faces ask. Plain rows: they are few.

-- name: get_order
select p.subject, p.connection, p.external_id, p.number, p.commitment, p.custody, p.money, p.stage, p.finished,
  p.currency, p.total, p.placed_at, p.updated_at, p.value, s.trace, hex(s.salt)
from process p join subject s on s.no = p.subject where p.subject = ?1;

-- name: list_orders
select p.subject, p.connection, p.external_id, p.number, p.commitment, p.custody, p.money, p.stage, p.finished,
  p.currency, p.total, p.placed_at, p.updated_at
from process p
where p.subject < ?1 and (?2 = '' or p.connection = ?2) and (?3 = '' or p.stage = ?3) and (?4 = '' or p.custody = ?4)
  and (?5 = '' or p.money = ?5) and (?6 = '' or p.number = ?6 or p.external_id = ?6)
order by p.subject desc limit ?7;

-- name: list_unfinished_orders
select p.subject, p.connection, p.external_id, p.number, p.commitment, p.custody, p.money, p.stage, p.finished,
  p.currency, p.total, p.placed_at, p.updated_at
from process p indexed by process_unfinished
where p.finished = 0 and p.subject < ?1 and p.stage = ?2 order by p.subject desc limit ?3;

-- name: find_subjects
select distinct subject from reference where ref = ?1 and connection in (select value from json_each(?2))
  and kind in ('order', 'number', 'api')
order by subject desc limit 20;

-- name: get_document
select value, hex(party) from document where id <= ?1 * 1024 + 1023 and id > ?1 * 1024 order by id desc limit 1;

-- name: timeline_messages
select m.id, m.source, m.kind, m.received_at, m.handled_at, m.outcome, m.note, m.attempts, m.parent, m.origin
from message m where m.subject = ?1 order by m.id limit ?2;

-- name: timeline_inbox
select i.id, i.source, i.kind, i.received_at, i.state, i.due_at, i.attempt, i.parent, i.origin, coalesce(h.message, 0),
  coalesce(h.reason, '')
from inbox i left join hold h on h.subject = i.subject and h.source = i.source
where i.subject = ?1 order by i.id limit ?2;

-- name: timeline_events
select message, position, type, data, at from event where subject = ?1 order by message, position limit ?2;

-- name: timeline_effects
select e.id, e.connection, e.operation, e.intent, e.staged_at, e.done_at, e.outcome, e.reference, e.attempts,
  coalesce(o.state, -1), coalesce(o.due_at, 0), coalesce(o.attempt, 0)
from effect e left join outbox o on o.id = e.id where e.subject = ?1 order by e.id limit ?2;

-- name: timeline_attempts
select about, id, number, at, kind, text from attempt
where (about = 'message' and id in (select value from json_each(?1)))
  or (about = 'effect' and id in (select value from json_each(?2)))
order by at limit ?3;

-- name: timeline_cases
select id, subject, reason, about, field, text, source, message, effect, opened_at, closed_at, owner, resolution
from case_file where subject = ?1 order by id limit ?2;

-- name: timeline_movements
select message, position, sku, location, bucket, quantity, reason, at from movement
where subject = ?1 order by message, position limit ?2;

-- name: list_cases
select c.id, c.subject, c.reason, c.about, c.field, c.text, c.source, c.message, c.effect, c.opened_at, c.closed_at,
  c.owner, c.resolution,
  (select count(*) from hold h join inbox i on i.subject = h.subject and i.source = h.source and i.state = 2
    where h.subject = c.subject and h.source = c.source and h.message = c.message) as waiting
from case_file c
where c.id > ?1 and (?2 = 'all' or (?2 = 'open' and c.closed_at = 0) or (?2 = 'closed' and c.closed_at > 0))
order by c.id limit ?3;

-- name: list_open_cases_of
select c.id, c.subject, c.reason, c.about, c.field, c.text, c.source, c.message, c.effect, c.opened_at, c.closed_at,
  c.owner, c.resolution,
  (select count(*) from hold h join inbox i on i.subject = h.subject and i.source = h.source and i.state = 2
    where h.subject = c.subject and h.source = c.source and h.message = c.message) as waiting
from case_file c
where c.closed_at = 0 and c.id > ?1 and c.reason = ?2 order by c.id limit ?3;

-- name: get_case
select c.id, c.subject, c.reason, c.about, c.field, c.text, c.source, c.message, c.effect, c.opened_at, c.closed_at,
  c.owner, c.resolution,
  (select count(*) from hold h join inbox i on i.subject = h.subject and i.source = h.source and i.state = 2
    where h.subject = c.subject and h.source = c.source and h.message = c.message) as waiting
from case_file c where c.id = ?1;

-- name: get_raw
select b.message, b.headers, b.raw, s.salt, coalesce(i.source, m.source), coalesce(i.kind, m.kind),
  coalesce(i.subject, m.subject)
from body b
left join inbox i on i.id = b.message
left join message m on i.id is null and m.id = b.message
  and m.subject = ?2
left join subject s on s.no = coalesce(i.subject, m.subject)
where b.message = ?1;

-- name: get_stock
select sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere, incoming, as_of
from level where sku = ?1 order by location;

-- name: get_marks
select connection, operation, key, state, marked_at, sent, sent_at from mark where key = ?1 order by connection;

-- name: levels_of
select json_group_array(json_array(l.sku, l.location, l.on_hand, l.reserved, l.allocated, l.safety_stock,
  l.quarantined, l.committed_elsewhere, l.incoming, l.as_of))
from json_each(?1) j join level l on l.sku = j.value;

-- name: counters
select source, name, value from counter order by source, name;

-- name: inbox_by_state
select source, state, count(*), min(received_at) from inbox group by source, state order by source, state;

-- name: outbox_by_state
select connection, operation, state, count(*), min(staged_at) from outbox group by connection, operation, state
order by connection, operation, state;

-- name: marks_by_state
select connection, state, count(*) from mark group by connection, state order by connection, state;

-- name: orders_by_stage
select stage, count(*) from process indexed by process_unfinished where finished = 0 group by stage order by stage;

-- name: open_case_count
select reason, count(*) from case_file indexed by case_open where closed_at = 0 group by reason order by reason;

-- name: order_count
select count(*), coalesce(sum(finished), 0) from process;

-- name: unowned_orders
select count(*), min(p.subject) from process p indexed by process_unfinished
where p.finished = 0 and p.updated_at < ?1
  and not exists (select 1 from inbox i where i.subject = p.subject)
  and not exists (select 1 from outbox o where o.subject = p.subject)
  and not exists (select 1 from case_file c where c.subject = p.subject and c.closed_at = 0);

-- name: effects_twice
select count(*) from (
  select 1 from effect where reference <> '' and outcome = 'done' and operation like 'create%'
  group by connection, operation, reference having count(*) > 1);

-- name: unbalanced_postings
select count(*), min(subject) from posting
where (select coalesce(sum(e.value->>1), 0) from json_each(posting.entries) e) <> 0;

-- name: posting_count
select count(*) from posting;

-- name: stock_differences
with moved as (
  select sku, location, bucket, sum(quantity) as quantity from movement group by sku, location, bucket),
held as (
  select sku, location, 'on_hand' as bucket, on_hand as quantity from level
  union all select sku, location, 'reserved', reserved from level
  union all select sku, location, 'allocated', allocated from level)
select h.sku, h.location, h.bucket, h.quantity, coalesce(m.quantity, 0)
from held h left join moved m on m.sku = h.sku and m.location = h.location and m.bucket = h.bucket
where h.quantity <> coalesce(m.quantity, 0) limit 10;

-- name: negative_without_case
select count(*) from level l where l.on_hand < 0
  and not exists (select 1 from case_file c where c.closed_at = 0 and c.about = l.sku || '@' || l.location);

-- name: overdue_effects
select count(*), min(id) from outbox o where o.state in (0, 1, 2, 3) and o.staged_at < ?1
  and not exists (select 1 from case_file c where c.subject = o.subject and c.closed_at = 0);

-- name: nameless_replays
select count(*) from message where origin like 'replay%' and origin not like 'replay by _%: _%';

-- name: documents_after
select d.id, d.value, hex(d.party), hex(s.salt) from document d join subject s on s.no = d.id / 1024
where d.id > ?1 order by d.id limit ?2;

-- name: processes_after
select subject, value from process where subject > ?1 order by subject limit ?2;

-- name: broken_quantities
select count(*), coalesce(min(p.subject), 0) from process p
where exists (
    select 1 from json_each(p.value, '$.lines') l
    where coalesce(l.value->>'shipped', 0) > max(coalesce(l.value->>'ordered', 0), 0)
      or coalesce(l.value->>'returned', 0) > coalesce(l.value->>'shipped', 0))
  and not exists (select 1 from case_file c where c.subject = p.subject);

-- name: get_subject
select trace, created_at from subject where no = ?1;

-- name: api_delivery
select subject, message, hash from seen where source = 'api' and kind = 'delivery' and version = ?1;

-- name: message_outcome
select outcome, note from message where subject = ?1 and id = ?2;

-- name: get_call
select connection, operation, intent, command, state, attempt from outbox where id = ?1;

-- Counters and inbox in one sentence: one snapshot, so that the sum holds at any moment.
-- name: source_balance
select source, sum(accepted), sum(processed), sum(unhandled), sum(repeated), sum(parked), sum(in_flight) from (
  select source, iif(name = 'accepted', value, 0) as accepted, iif(name = 'processed', value, 0) as processed,
    iif(name = 'unhandled', value, 0) as unhandled, iif(name = 'repeated', value, 0) as repeated, 0 as parked,
    0 as in_flight from counter
  union all select source, 0, 0, 0, 0, state = 3, state <> 3 from inbox)
group by source order by source;

-- name: order_so_far_back
select subject from process order by subject desc limit 1 offset ?1;

-- name: last_subject
select coalesce(max(no), 0) from subject;

-- name: recent_effect_times
select connection, operation, done_at - staged_at from effect
where subject > ?1 and outcome = 'done' order by connection, operation;

-- From the message that made a sale of an order to that sale in the ERP.
-- name: recent_capture_times
select e.connection, e.done_at - m.received_at
from effect e join message m on m.subject = e.subject and m.id = e.message
where e.subject > ?1 and e.operation = 'create_sale' and e.outcome = 'done' order by e.connection;

-- name: recent_message_times
select source, handled_at - received_at from message where subject > ?1 and source <> 'hub' and origin = ''
order by source;

-- name: messages_since
select id, subject from message
where source = ?1 and received_at >= ?2 and id > ?3 and outcome <> 'split' order by id limit ?4;

-- name: captured_to_done
select e.done_at - m.received_at from effect e
join message m on m.subject = e.subject and m.id = e.message
where e.operation = ?1 and e.done_at > 0 and m.received_at >= ?2;
