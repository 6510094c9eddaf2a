-- The way in, and what is due. Arrays are parallel: one element of each makes a row.

-- name: next_slot
select nextval('slot');

-- name: next_turns
select nextval('turn') from generate_series(1, $1::bigint);

-- name: next_subjects
select nextval('subject_no') from generate_series(1, $1::bigint);

-- name: find_references
select r.connection, r.kind, r.ref, r.subject, s.salt
from unnest($1::text[], $2::text[], $3::text[]) g(connection, kind, ref)
join reference r on r.connection = g.connection and r.kind = g.kind and r.ref = g.ref
join subject s on s.no = r.subject;

-- name: find_salts
select no, salt from subject where no = any($1::bigint[]);

-- Sorted, so that two gateways that make the same ones do not wait for each other in a circle.
-- name: add_references
insert into reference (connection, kind, ref, subject)
select connection, kind, ref, subject
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) g(connection, kind, ref, subject)
order by connection, kind, ref
on conflict do nothing returning connection, kind, ref;

-- name: add_deliveries
insert into seen (subject, source, kind, version, hash, message, at)
select subject, source, 'delivery', version, hash, message, $6::bigint
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[]) g(subject, source, version, hash, message)
order by subject, source, version
on conflict do nothing returning message;

-- name: find_deliveries
select n.subject, n.source, n.version, n.hash, n.message
from unnest($1::bigint[], $2::text[], $3::text[]) g(subject, source, version)
join seen n on n.subject = g.subject and n.source = g.source and n.kind = 'delivery' and n.version = g.version;

-- name: count
insert into counter (slot, source, name, value)
select $1::smallint, source, name, value
from unnest($2::text[], $3::text[], $4::bigint[]) g(source, name, value) order by source, name
on conflict (slot, source, name) do update set value = counter.value + excluded.value;

-- Partition by partition, each from where the last claim ended: dead rows before that are never looked at again.
-- name: due_messages
select i.id, i.source, i.kind, i.subject, i.lane, i.attempt, i.received_at, i.parent, i.position, i.origin, i.turn,
  i.size, s.trace, s.salt
from (
  select r.id, r.source, r.kind, r.subject, r.lane, r.attempt, r.received_at, r.parent, r.position, r.origin, r.turn,
    r.size
  from unnest($1::smallint[]) p(part)
  cross join lateral (
    select i.id, i.source, i.kind, i.subject, i.lane, i.attempt, i.received_at, i.parent, i.position, i.origin, i.turn,
      i.size
    from inbox i
    where i.part = p.part and i.state = 0 and i.turn >= $2::bigint and i.id <> all($5::bigint[])
    order by i.turn limit $4::bigint) r
  order by r.turn limit $3::bigint) i
join subject s on s.no = i.subject
order by i.turn;

-- name: due_message
select i.id, i.source, i.kind, i.subject, i.lane, i.attempt, i.received_at, i.parent, i.position, i.origin, i.turn,
  i.size, s.trace, s.salt
from inbox i join subject s on s.no = i.subject where i.id = $1::bigint and i.state = 0;

-- name: one_message
select i.id, i.source, i.kind, i.subject, i.lane, i.attempt, i.received_at, i.parent, i.position, i.origin, i.turn,
  i.size, s.trace, s.salt
from inbox i join subject s on s.no = i.subject where i.id = $1::bigint;

-- name: read_bodies
select message, headers, raw from body where message = any($1::bigint[]);

-- name: read_holds
select h.subject, h.source, h.message, i.kind, i.state
from hold h join inbox i on i.id = h.message where h.subject = any($1::bigint[]);

-- name: load_processes
select subject, version, value from process where subject = any($1::bigint[]);

-- name: load_levels
select sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere, incoming, as_of
from level where sku = any($1::text[]);

-- name: load_cells
select l.sku, l.location, l.on_hand, l.reserved, l.allocated, l.safety_stock, l.quarantined, l.committed_elsewhere,
  l.incoming, l.as_of
from unnest($1::text[], $2::text[]) g(sku, location) join level l on l.sku = g.sku and l.location = g.location;

-- name: load_places
select sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere, incoming, as_of
from level where location = any($1::text[]);

-- name: load_unseen
select u.sku, u.location, u.seen_at, u.token, u.number, u.master, u.quantity
from unnest($1::text[], $2::text[]) g(sku, location) join unseen u on u.sku = g.sku and u.location = g.location;

-- name: load_unseen_of_places
select u.sku, u.location, u.seen_at, u.token, u.number, u.master, u.quantity
from level l join unseen u on u.sku = l.sku and u.location = l.location where l.location = any($1::text[]);

-- name: load_untold
select sku, location, seen_at, token, number, master, quantity
from unseen where token = any($1::text[]) and seen_at = 0;

-- name: load_untold_levels
select l.sku, l.location, l.on_hand, l.reserved, l.allocated, l.safety_stock, l.quarantined, l.committed_elsewhere,
  l.incoming, l.as_of
from (select distinct sku, location from unseen where token = any($1::text[]) and seen_at = 0) u
join level l on l.sku = u.sku and l.location = u.location;

-- name: load_days
select r.connection, r.ref, p.stage
from unnest($1::text[], $2::text[]) g(connection, ref)
join reference r on r.connection = g.connection and r.kind = 'store_day' and r.ref = g.ref
join process p on p.subject = r.subject;

-- name: load_tickets
select t.connection, t.store, t.day, t.till, t.sequence, t.subject, t.at, t.value
from unnest($1::text[], $2::text[], $3::text[]) g(connection, store, day)
join ticket t on t.connection = g.connection and t.store = g.store and t.day = g.day;

-- name: load_runs
select g.connection, g.store, g.day, t.day, t.till, min(t.sequence), max(t.sequence)
from unnest($1::text[], $2::text[], $3::text[]) g(connection, store, day)
cross join lateral (
  select distinct d.day from ticket d
  where d.connection = g.connection and d.store = g.store and d.day < g.day order by d.day desc limit 3) e
join ticket t on t.connection = g.connection and t.store = g.store and t.day = e.day
group by g.connection, g.store, g.day, t.day, t.till;

-- name: load_firsts
select g.connection, g.store, g.till, f.sequence
from unnest($1::text[], $2::text[], $3::text[]) g(connection, store, till)
cross join lateral (
  select t.sequence from ticket t where t.connection = g.connection and t.store = g.store and t.till = g.till
  order by t.day, t.sequence limit 1) f;

-- name: load_pulses
select connection, store, at from pulse where connection = any($1::text[]);

-- name: load_products
select sku, value from product where sku = any($1::text[]);

-- name: load_seen
select n.subject, n.source, n.kind, n.version, n.hash
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) g(subject, source, kind, version)
join seen n on n.subject = g.subject and n.source = g.source and n.kind = g.kind and n.version = g.version;
