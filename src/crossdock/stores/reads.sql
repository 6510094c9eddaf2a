-- What the faces ask, of either database: one text where one serves. Plain rows: they are few. ?1 is the first argument.

-- name: list_orders
select p.subject, p.connection, p.external_id, p.number, p.commitment, p.custody, p.money, p.stage, p.finished,
  p.currency, p.total, p.placed_at, p.updated_at
from process p
where p.subject < ?1 and (?2 = '' or p.connection = ?2) and (?3 = '' or p.stage = ?3) and (?4 = '' or p.custody = ?4)
  and (?5 = '' or p.money = ?5) and (?6 = '' or p.number = ?6 or p.external_id = ?6)
order by p.subject desc limit ?7;

-- name: orders_by_connection
select connection, count(*), coalesce(sum(finished), 0) from process group by connection order by connection;

-- name: timeline_messages
select m.id, m.source, m.kind, m.received_at, m.handled_at, m.outcome, m.note, m.attempts, m.parent, m.origin,
  exists (select 1 from body b where b.message = m.id) as kept
from message m where m.subject = ?1 order by m.id limit ?2;

-- name: timeline_inbox
select i.id, i.source, i.kind, i.received_at, i.state, i.due_at, i.attempt, i.parent, i.origin, coalesce(h.message, 0),
  coalesce(h.reason, '')
from inbox i left join hold h on h.subject = i.subject and h.source = i.source
where i.subject = ?1 order by i.id limit ?2;

-- name: timeline_traces
select b.message, b.headers from body b
where b.message in (select m.id from message m where m.subject = ?1 union select i.id from inbox i where i.subject = ?1)
  and b.headers like '%traceparent%'
order by b.message limit ?2;

-- name: timeline_events
select message, position, type, data, at from event where subject = ?1 order by message, position limit ?2;

-- name: timeline_effects
select e.id, e.connection, e.operation, e.intent, e.staged_at, e.done_at, e.outcome, e.reference, e.attempts,
  coalesce(o.state, -1), coalesce(o.due_at, 0), coalesce(o.attempt, 0)
from effect e left join outbox o on o.id = e.id where e.subject = ?1 order by e.id limit ?2;

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

-- name: inbox_by_state
select source, state, count(*), min(received_at) from inbox group by source, state order by source, state;

-- name: outbox_by_state
select connection, operation, state, count(*), min(staged_at) from outbox group by connection, operation, state
order by connection, operation, state;

-- name: marks_by_state
select connection, state, count(*) from mark group by connection, state order by connection, state;

-- What was never counted is unknown, not negative: its location has a case. A word that opens a case may be on its way.
-- name: negative_without_case
select count(*) from level l where l.on_hand < 0 and l.as_of > 0
  and not exists (select 1 from case_file c where c.closed_at = 0 and c.about = l.sku || '@' || l.location)
  and not exists (
    select 1 from reference r join inbox i on i.subject = r.subject
    where r.connection = 'hub' and r.kind = 'level' and r.ref = l.sku || '@' || l.location);

-- A connection that shuts us out, is gone, or does not get its calls in time is a case of its own.
-- ?2: a case about late calls that was closed since then has told a person, who is not told again at once.
-- name: overdue_effects
select count(*), min(id) from outbox o where o.state in (0, 1, 2, 3) and o.staged_at < ?1
  and o.connection not in (
    select about from case_file where closed_at = 0 and reason in ('credentials', 'gone'))
  and o.connection || ' ' || o.operation not in (
    select c.about from reference r join case_file c on c.subject = r.subject
    where r.connection = 'hub' and r.kind = 'connection' and c.reason = 'late' and (c.closed_at = 0 or c.closed_at >= ?2))
  and not exists (select 1 from case_file c where c.subject = o.subject and c.closed_at = 0);

-- name: processes_after
select subject, value from process where subject > ?1 order by subject limit ?2;

-- name: get_subject
select trace, created_at from subject where no = ?1;

-- name: api_delivery
select subject, message, hash from seen where source = 'api' and kind = 'delivery' and version = ?1;

-- name: message_outcome
select outcome, note from message where subject = ?1 and id = ?2;

-- name: get_call
select connection, operation, intent, command, state, attempt from outbox where id = ?1;

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

-- name: replays_until
select coalesce(max(due_at), 0) from inbox where state = 1 and origin like 'replay by %';

-- name: messages_since
select id, subject from message
where source = ?1 and received_at >= ?2 and id > ?3 and outcome <> 'split' and origin not like 'replay by %'
order by id limit ?4;

-- name: captured_to_done
select e.done_at - m.received_at from effect e
join message m on m.subject = e.subject and m.id = e.message
where e.operation = ?1 and e.done_at > 0 and m.received_at >= ?2;

-- What a subscriber is told again, after (subject, message, position). A walk along the clustered table.
-- name: events_since
select subject, message, position, type, data, at from event
where (subject, message, position) > (?1, ?2, ?3) and at >= ?4 and at <= ?5
order by subject, message, position limit ?6;

-- What has moved of a SKU and the master of each location was not told yet.
-- name: untold_of
select location, cast(sum(quantity) as bigint) from unseen where sku = ?1 and seen_at = 0 and master <> ''
group by location order by location;

-- name: day_tickets
select value from ticket where connection = ?1 and store = ?2 and day = ?3 order by till, sequence;

-- name: feed_read_at
select at from cursor where connection = ?1 and feed = ?2;
