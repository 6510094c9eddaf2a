-- What a batch leads to. What is only appended goes by COPY (tables.py); here is the rest.

-- Who changes an order's effects or cases holds its row: two never do it at once, so that none of its effects is left
-- behind one that another transaction is just taking out. Sorted, like everything that is locked.
-- name: lock_subjects
select no, salt from subject where no = any($1::bigint[]) order by no for no key update;

-- name: leave_inbox
delete from inbox where id = any($1::bigint[]);

-- name: record_leaving
insert into message (id, source, kind, subject, received_at, handled_at, outcome, note, attempts, parent, position,
  origin)
select id, source, kind, subject, received_at, $4::bigint, $2::text, $3::text, attempt + 1, parent, position, origin
from inbox where id = $1::bigint;

-- name: close_cases_of_messages
update case_file set closed_at = $2::bigint, resolution = $3::text
where closed_at = 0 and message = any($1::bigint[]) and about = 'message ' || message;

-- What a case held is due again, unless another of its key goes first.
-- name: release_held
update outbox set turn = nextval('turn'), state = case when exists (
    select 1 from outbox o
    where o.subject = outbox.subject and o.connection = outbox.connection and o.id <> outbox.id
      and (o.state not in (2, 6) or (o.state = 6 and (o.staged_at, o.id) < (outbox.staged_at, outbox.id)))) then 2
  when due_at > $2::bigint then 1 else 0 end
where state = 6 and subject = any($1::bigint[])
  and not exists (select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0);

-- name: inbox_states
update inbox set state = g.state, due_at = g.due_at, attempt = attempt + g.spent, turn = nextval('turn')
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) g(id, state, due_at, spent) where inbox.id = g.id;

-- name: put_hold
insert into hold (subject, source, message, reason) values ($1::bigint, $2::text, $3::bigint, $4::text)
on conflict (subject, source) do update set message = excluded.message, reason = excluded.reason;

-- A message that left and held nothing frees nobody: it overtook, and another one may hold.
-- name: drop_hold
delete from hold where subject = $1::bigint and source = $2::text and ($3::bigint = 0 or message = $3::bigint);

-- All of the stream that is due gets a new turn, in the order accepted: nothing overtakes what has waited.
-- name: free_stream
update inbox set state = 0, turn = g.turn
from (
  select id, nextval('turn') as turn from (
    select id from inbox where subject = $1::bigint and source = $2::text and state in (0, 2)
      and not exists (select 1 from hold h where h.subject = $1::bigint and h.source = $2::text)
    order by id) w) g
where inbox.id = g.id;

-- name: add_attempt
insert into attempt (about, id, number, kind, text, at)
values ($1::text, $2::bigint, $3::bigint, $4::text, $5::text, $6::bigint) on conflict do nothing;

-- name: add_seen
insert into seen (subject, source, kind, version, hash, message, at)
select subject, source, kind, version, hash, message, $7::bigint
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
  g(subject, source, kind, version, hash, message)
order by subject, source, kind, version
on conflict do nothing;

-- name: put_cursor
insert into cursor (connection, feed, value, at) values ($1::text, $2::text, $3::text, $4::bigint)
on conflict (connection, feed) do update set value = excluded.value, at = excluded.at;

-- name: change_processes
update process set version = g.expected + 1, value = g.value, number = g.number, commitment = g.commitment,
  custody = g.custody, money = g.money, stage = g.stage, finished = g.finished, currency = g.currency, total = g.total,
  placed_at = g.placed_at, updated_at = $13::bigint
from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::bigint[], $10::text[], $11::bigint[], $12::bigint[])
  g(subject, expected, value, number, commitment, custody, money, stage, finished, currency, total, placed_at)
where process.subject = g.subject and process.version = g.expected;

-- name: put_products
insert into product (sku, value) select sku, value from unnest($1::text[], $2::text[]) g(sku, value) order by sku
on conflict (sku) do update set value = excluded.value;

-- name: add_tickets
insert into ticket (connection, store, day, till, sequence, subject, at, value)
select connection, store, day, till, sequence, subject, at, value
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[])
  g(connection, store, day, till, sequence, subject, at, value)
order by connection, store, day, till, sequence
on conflict do nothing;

-- name: put_pulses
insert into pulse (connection, store, at)
select connection, store, max(at) from unnest($1::text[], $2::text[], $3::bigint[]) g(connection, store, at)
group by connection, store order by connection, store
on conflict (connection, store) do update set at = excluded.at where pulse.at < excluded.at;

-- name: forget_unseen
delete from unseen u using unnest($1::text[], $2::text[], $3::bigint[]) g(sku, location, until)
where u.sku = g.sku and u.location = g.location and u.seen_at between 1 and g.until;

-- name: raise_unseen
insert into unseen (sku, location, seen_at, token, number, master, quantity)
select sku, location, seen_at, token, number, min(master), sum(quantity)::bigint
from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::bigint[])
  g(sku, location, seen_at, token, number, master, quantity)
group by sku, location, seen_at, token, number order by sku, location, seen_at, token, number
on conflict (sku, location, seen_at, token, number) do update set quantity = unseen.quantity + excluded.quantity;

-- name: join_unseen
update unseen set token = $3 where token = $1 and seen_at = 0 and number = any($2::bigint[]);

-- name: tell_unseen
update unseen u set seen_at = g.seen_at from unnest($1::text[], $2::bigint[]) g(token, seen_at)
where u.token = g.token and u.seen_at = 0;

-- name: put_marks
insert into mark (connection, operation, key, state, due_at, attempt, marked_at, dirty, sent, sent_at, turn)
select connection, operation, key, 0, 0, 0, $4::bigint, 0, '', 0, nextval('turn')
from unnest($1::text[], $2::text[], $3::text[]) g(connection, operation, key) order by connection, operation, key
on conflict (connection, operation, key) do update set
  state = case when mark.state = 4 then 0 else mark.state end, dirty = case when mark.state = 3 then 1 else mark.dirty end,
  marked_at = case when mark.state = 4 then excluded.marked_at else mark.marked_at end,
  turn = case when mark.state = 4 then excluded.turn else mark.turn end;

-- name: add_levels
insert into level (sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere,
  incoming, as_of)
select sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere, incoming, as_of
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[])
  g(sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere, incoming, as_of)
order by sku, location
on conflict do nothing returning sku, location;

-- name: lock_levels
select 1 from unnest($1::text[], $2::text[]) g(sku, location)
join level l on l.sku = g.sku and l.location = g.location order by l.sku, l.location for no key update of l;

-- What was decided on may have changed: a row stays as it is where we would take what another has taken since, cross zero
-- on hand unseen, down or up, or apply a count upon a count that we have not seen.
-- name: move_levels
update level set on_hand = level.on_hand + g.on_hand, reserved = level.reserved + g.reserved,
  allocated = level.allocated + g.allocated, safety_stock = level.safety_stock + g.safety_stock,
  quarantined = level.quarantined + g.quarantined,
  committed_elsewhere = level.committed_elsewhere + g.committed_elsewhere, incoming = level.incoming + g.incoming,
  as_of = greatest(level.as_of, g.as_of)
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
  g(sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere, incoming, as_of,
    as_of_seen, free_then, on_hand_then)
where level.sku = g.sku and level.location = g.location
  and (g.reserved + g.allocated <= 0
    or level.on_hand - level.reserved - level.allocated - level.quarantined - level.committed_elsewhere
      + g.on_hand - g.reserved - g.allocated - g.quarantined - g.committed_elsewhere >= least(0, g.free_then))
  and ((level.on_hand < 0) = (level.on_hand + g.on_hand < 0) or (g.on_hand_then - g.on_hand < 0) <> (g.on_hand_then < 0))
  and (g.as_of = g.as_of_seen or level.as_of = g.as_of_seen);

-- name: put_levels
insert into level (sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere,
  incoming, as_of)
select sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere, incoming, as_of
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[])
  g(sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere, incoming, as_of)
order by sku, location
on conflict (sku, location) do update set on_hand = excluded.on_hand, reserved = excluded.reserved,
  allocated = excluded.allocated, safety_stock = excluded.safety_stock, quarantined = excluded.quarantined,
  committed_elsewhere = excluded.committed_elsewhere, incoming = excluded.incoming, as_of = excluded.as_of;

-- Effects of the subject that ask for it are held back from now on.
-- name: open_case
insert into case_file (subject, reason, about, field, text, source, message, effect, opened_at, closed_at, owner,
  resolution)
values ($1::bigint, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::bigint, 0, '', '')
on conflict (subject, reason, about) where closed_at = 0 do update set text = excluded.text, field = excluded.field,
  message = excluded.message, effect = excluded.effect;

-- name: hold_effects
update outbox set state = 6 where subject = $1::bigint and held = 1 and unclear = 0 and state in (0, 1);

-- name: close_case
update case_file set closed_at = $5::bigint, resolution = $4::text
where subject = $1::bigint and reason = $2::text and about = $3::text and closed_at = 0;

-- name: sign_case
update case_file set closed_at = $4::bigint, resolution = $3::text, owner = $2::text
where id = $1::bigint and closed_at = 0;

-- name: read_case
select subject, reason, about, source, message, effect, closed_at from case_file where id = $1::bigint;

-- name: retry_message
update inbox set state = 0, attempt = 0, due_at = 0, turn = nextval('turn') where id = $1::bigint and state = 3;

-- name: keep_body
insert into body_before_edit (message, at, actor, raw)
select message, $3::bigint, $2::text, raw from body where message = $1::bigint;

-- name: put_body
update body set raw = $2::bytea where message = $1::bigint;

-- name: put_size
update inbox set size = $2::bigint where id = $1::bigint;
