-- What a transaction writes, as one program, run in one step: SQLite then works without the interpreter's lock from the
-- first row to the last (docs/adr/0002). Each section is an operation: a column of the view `program`, whose rows come as one
-- JSON array of arrays. They are run in the order of this file, each on all of its rows at once (docs/adr/0010).
--
-- r.value is one row, [argument 0, argument 1, ...]. What is large and needs no reading travels past the JSON, in new.blob;
-- the last argument of such a row says where: [start, length, ...]. What must be done row by row has a view of its own, made
-- by a section that begins with `create`.

-- name: subject (number, salt in hex, trace, now)
insert into subject (no, salt, trace, created_at)
select r.value->>0, unhex(r.value->>1), r.value->>2, r.value->>3 from jsonb_each(new.subject) r;

-- name: process (subject, version expected, connection, external id, number, commitment, custody, money, stage,
--   finished, currency, total, placed, now; blob: value)
select raise(abort, 'stale process') from jsonb_each(new.process) r left join process p on p.subject = r.value->>0
where coalesce(p.version, 0) <> (r.value->>1);
insert into process (subject, version, value, connection, external_id, number, commitment, custody, money, stage,
  finished, currency, total, placed_at, updated_at)
select r.value->>0, 1 + (r.value->>1), cast(substr(new.blob, r.value->>'$[14][0]', r.value->>'$[14][1]') as text),
  r.value->>2, r.value->>3, r.value->>4, r.value->>5, r.value->>6, r.value->>7, r.value->>8, r.value->>9, r.value->>10,
  r.value->>11, r.value->>12, r.value->>13
from jsonb_each(new.process) r where true
on conflict (subject) do update set version = excluded.version, value = excluded.value, number = excluded.number,
  commitment = excluded.commitment, custody = excluded.custody, money = excluded.money, stage = excluded.stage,
  finished = excluded.finished, currency = excluded.currency, total = excluded.total,
  placed_at = excluded.placed_at, updated_at = excluded.updated_at;

-- name: document (id; blobs: party, sealed; value)
insert into document (id, value, party)
select r.value->>0, cast(substr(new.blob, r.value->>'$[1][2]', r.value->>'$[1][3]') as text),
  substr(new.blob, r.value->>'$[1][0]', r.value->>'$[1][1]')
from jsonb_each(new.document) r where true
on conflict (id) do update set value = excluded.value, party = excluded.party;

-- name: level (sku, location, on hand, reserved, allocated, safety, quarantined, elsewhere, incoming, as of)
insert into level (sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere,
  incoming, as_of)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3, r.value->>4, r.value->>5, r.value->>6, r.value->>7,
  r.value->>8, r.value->>9
from jsonb_each(new.level) r where true
on conflict (sku, location) do update set on_hand = excluded.on_hand, reserved = excluded.reserved,
  allocated = excluded.allocated, safety_stock = excluded.safety_stock, quarantined = excluded.quarantined,
  committed_elsewhere = excluded.committed_elsewhere, incoming = excluded.incoming, as_of = excluded.as_of;

-- name: product (sku, value)
insert into product (sku, value) select r.value->>0, r.value->>1 from jsonb_each(new.product) r where true
on conflict (sku) do update set value = excluded.value;

-- name: movement (subject, message, position, sku, location, bucket, quantity, reason, now)
insert into movement (subject, message, position, sku, location, bucket, quantity, reason, at)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3, r.value->>4, r.value->>5, r.value->>6, r.value->>7,
  r.value->>8
from jsonb_each(new.movement) r;

-- name: posting (subject, message, position, currency, reason, entries, at)
insert into posting (subject, message, position, currency, reason, entries, at)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3, r.value->>4, r.value->>5, r.value->>6
from jsonb_each(new.posting) r;

-- name: ticket (connection, store, day, till, sequence, subject, at, value)
insert into ticket (connection, store, day, till, sequence, subject, at, value)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3, r.value->>4, r.value->>5, r.value->>6, r.value->>7
from jsonb_each(new.ticket) r where true
on conflict do nothing;

-- name: pulse (connection, store, at)
insert into pulse (connection, store, at) select r.value->>0, r.value->>1, r.value->>2 from jsonb_each(new.pulse) r where true
on conflict (connection, store) do update set at = max(at, excluded.at);

-- name: row_unseen
create temp view row_unseen as select null as v;

-- name: row_unseen_each
create temp trigger row_unseen_each instead of insert on row_unseen begin
  delete from unseen
  where sku = new.v->>0 and location = new.v->>1 and seen_at between 1 and (new.v->>7) - 1;
  insert into unseen (sku, location, seen_at, token, number, master, quantity)
  values (new.v->>0, new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6)
  on conflict (sku, location, seen_at, token, number) do update set quantity = quantity + excluded.quantity;
end;

-- name: unseen (sku, location, seen at, token, number, master, quantity; forget before)
insert into row_unseen (v) select r.value from jsonb_each(new.unseen) r;

-- name: row_unseen_joined
create temp view row_unseen_joined as select null as v;

-- name: row_unseen_joined_each
create temp trigger row_unseen_joined_each instead of insert on row_unseen_joined begin
  update unseen set token = new.v->>2
  where token = new.v->>0 and seen_at = 0 and number in (select value from json_each(new.v->1));
end;

-- name: unseen_joined (token, numbers, new token)
insert into row_unseen_joined (v) select r.value from jsonb_each(new.unseen_joined) r;

-- name: row_unseen_told
create temp view row_unseen_told as select null as v;

-- name: row_unseen_told_each
create temp trigger row_unseen_told_each instead of insert on row_unseen_told begin
  update unseen set seen_at = new.v->>1 where token = new.v->>0 and seen_at = 0;
end;

-- name: unseen_told (token, seen at)
insert into row_unseen_told (v) select r.value from jsonb_each(new.unseen_told) r;

-- name: row_unseen_forgotten
create temp view row_unseen_forgotten as select null as v;

-- name: row_unseen_forgotten_each
create temp trigger row_unseen_forgotten_each instead of insert on row_unseen_forgotten begin
  delete from unseen where sku = new.v->>0 and location = new.v->>1 and seen_at between 1 and (new.v->>2);
end;

-- name: unseen_forgotten (sku, location, until)
insert into row_unseen_forgotten (v) select r.value from jsonb_each(new.unseen_forgotten) r;

-- name: row_released
create temp view row_released as select null as subject, null as now;

-- name: row_released_each
-- What a case held is due again, unless another of its key goes first.
create temp trigger row_released_each instead of insert on row_released begin
  update outbox set state = case when exists (
      select 1 from outbox o
      where o.subject = outbox.subject and o.connection = outbox.connection and o.id <> outbox.id
        and (o.state not in (2, 6) or (o.state = 6 and (o.staged_at, o.id) < (outbox.staged_at, outbox.id)))) then 2
    when due_at > new.now then 1 else 0 end
  where state = 6 and subject = new.subject
    and not exists (select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0);
end;

-- name: row_case_signed
create temp view row_case_signed as select null as v;

-- name: row_case_signed_each
create temp trigger row_case_signed_each instead of insert on row_case_signed begin
  update case_file set closed_at = new.v->>3, resolution = new.v->>2, owner = new.v->>1
  where id = new.v->>0 and closed_at = 0;
  insert into row_released (subject, now) select subject, new.v->>3 from case_file where id = new.v->>0;
end;

-- name: case_signed (id, owner, resolution, now)
insert into row_case_signed (v) select r.value from jsonb_each(new.case_signed) r;

-- name: finish (id, outcome, note, now, resolution of its case)
insert into message (id, source, kind, subject, received_at, handled_at, outcome, note, attempts, parent, position, origin)
select i.id, i.source, i.kind, i.subject, i.received_at, r.value->>3, r.value->>1, r.value->>2, i.attempt + 1, i.parent,
  i.position, i.origin
from jsonb_each(new.finish) r cross join inbox i on i.id = r.value->>0;
update case_file set closed_at = r.value->>3, resolution = r.value->>4
from jsonb_each(new.finish) r
where case_file.closed_at = 0 and case_file.message = r.value->>0 and case_file.about = 'message ' || case_file.message;
insert into row_released (subject, now)
select i.subject, r.value->>3 from jsonb_each(new.finish) r cross join inbox i on i.id = r.value->>0
where exists (select 1 from outbox o where o.state = 6 and o.subject = i.subject);
delete from inbox where id in (select r.value->>0 from jsonb_each(new.finish) r);

-- name: reference (connection, kind, ref, subject)
insert into reference (connection, kind, ref, subject)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3 from jsonb_each(new.reference) r where true
on conflict do nothing;

-- name: seen (subject, source, kind, version, hash, message, now)
insert into seen (subject, source, kind, version, hash, message, at)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3, r.value->>4, r.value->>5, r.value->>6
from jsonb_each(new.seen) r where true
on conflict do nothing;

-- name: event (subject, message, position, type, data, now)
insert into event (subject, message, position, type, data, at)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3, r.value->>4, r.value->>5 from jsonb_each(new.event) r;

-- name: cursor (connection, feed, value, now)
insert into cursor (connection, feed, value, at)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3 from jsonb_each(new.cursor) r where true
on conflict (connection, feed) do update set value = excluded.value, at = excluded.at;

-- name: count (source, name, by)
insert into counter (source, name, value)
select r.value->>0, r.value->>1, r.value->>2 from jsonb_each(new.count) r where true
on conflict (source, name) do update set value = counter.value + excluded.value;

-- name: inbox_state (id, state, due, attempts spent)
update inbox set state = r.value->>1, due_at = r.value->>2, attempt = attempt + (r.value->>3)
from jsonb_each(new.inbox_state) r where inbox.id = r.value->>0;

-- name: hold (subject, source, message, reason)
insert into hold (subject, source, message, reason)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3 from jsonb_each(new.hold) r where true
on conflict (subject, source) do update set message = excluded.message, reason = excluded.reason;

-- name: attempt (about, id, number, kind, text, now)
insert into attempt (about, id, number, kind, text, at)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3, r.value->>4, r.value->>5 from jsonb_each(new.attempt) r where true
on conflict do nothing;

-- name: row_effect_next
create temp view row_effect_next as select null as v;

-- name: row_effect_next_each
create temp trigger row_effect_next_each instead of insert on row_effect_next begin
  update case_file set closed_at = new.v->>8, resolution = 'it went through'
  where (new.v->>7) > 1 and closed_at = 0 and subject = new.v->>1 and effect = new.v->>0;
  update outbox set state = case
    when held = 1 and exists (
      select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6
    when due_at > (new.v->>8) then 1
    else 0 end
  where state = 2 and id = (
    select o.id from outbox o where o.subject = new.v->>1 and o.connection = new.v->>2 order by o.staged_at, o.id limit 1);
end;

-- name: effect_left (id, subject, connection, operation, intent, outcome, reference, attempts, now)
-- It leaves the outbox; the next of its key is due, unless a case holds it, and a case about it is closed.
delete from outbox where id in (select r.value->>0 from jsonb_each(new.effect_left) r);
update effect set done_at = r.value->>8, outcome = r.value->>5, reference = r.value->>6, attempts = r.value->>7
from jsonb_each(new.effect_left) r
where effect.subject = r.value->>1 and effect.connection = r.value->>2 and effect.operation = r.value->>3
  and effect.intent = r.value->>4;
insert into row_effect_next (v) select r.value from jsonb_each(new.effect_left) r
where (r.value->>7) > 1
  or exists (select 1 from outbox o where o.subject = r.value->>1 and o.connection = r.value->>2);

-- name: outbox_state (id, state, due, attempts given back, unclear, resume)
-- One that was never begun is due again, but for a case that was opened meanwhile.
update outbox set state = case when (r.value->>1) = 0 and held = 1 and (r.value->>4) = 0 and exists (
    select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6 else r.value->>1 end,
  due_at = r.value->>2, attempt = attempt - (r.value->>3), unclear = r.value->>4, resume = r.value->>5, lease_until = 0
from jsonb_each(new.outbox_state) r where outbox.id = r.value->>0;

-- name: row_case
create temp view row_case as select null as v;

-- name: row_case_opened
create temp trigger row_case_opened instead of insert on row_case when new.v->>0 = 'opened' begin
  insert into case_file (subject, reason, about, field, text, source, message, effect, opened_at, closed_at, owner,
    resolution)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7, new.v->>8, new.v->>9, 0, '', '')
  on conflict (subject, reason, about) where closed_at = 0 do update set text = excluded.text, field = excluded.field,
    message = excluded.message, effect = excluded.effect;
  update outbox set state = 6 where subject = new.v->>1 and held = 1 and unclear = 0 and state in (0, 1);
end;

-- name: row_case_closed
create temp trigger row_case_closed instead of insert on row_case when new.v->>0 = 'closed' begin
  update case_file set closed_at = new.v->>5, resolution = new.v->>4
  where subject = new.v->>1 and reason = new.v->>2 and about = new.v->>3 and closed_at = 0;
  insert into row_released (subject, now) values (new.v->>1, new.v->>5);
end;

-- name: case_file ('opened', subject, reason, about, field, text, source, message, effect, now) or ('closed', subject, reason,
--   about, resolution, now)
-- One after the other, for the last word counts. Effects of a subject that ask for it are held back while a case is open.
insert into row_case (v) select r.value from jsonb_each(new.case_file) r;

-- name: row_left
create temp view row_left as select null as v;

-- name: row_left_each
create temp trigger row_left_each instead of insert on row_left begin
  insert into message (id, source, kind, subject, received_at, handled_at, outcome, note, attempts, parent, position,
    origin)
  select id, source, kind, subject, received_at, new.v->>3, new.v->>1, new.v->>2, attempt + 1, parent, position, origin
  from inbox where id = new.v->>0;
  update case_file set closed_at = new.v->>3, resolution = new.v->>2
  where closed_at = 0 and message = new.v->>0 and about = 'message ' || message;
  insert into row_released (subject, now) select subject, new.v->>3 from inbox where id = new.v->>0;
  delete from inbox where id = new.v->>0;
end;

-- name: left (id, outcome, note, now)
-- A message that nobody handles: as `finish`, but when it is written what became of it before, its case above all.
insert into row_left (v) select r.value from jsonb_each(new."left") r;

-- name: row_outbox
create temp view row_outbox as select null as v;

-- name: row_outbox_each
-- Row by row: the second of a key waits behind the first. Within a key no two have one staged_at, and it never falls: that is
-- their order, whatever the clock does. Ids are not: an older message that is handled later stages a lower one.
create temp trigger row_outbox_each instead of insert on row_outbox begin
  insert into outbox (id, connection, operation, subject, intent, state, due_at, attempt, lease_until, unclear, resume,
    held, command, document, staged_at)
  values (new.v->>0, new.v->>1, new.v->>2, new.v->>3, new.v->>4,
    case
      when (new.v->>6) and exists (
        select 1 from case_file c where c.subject = new.v->>3 and c.closed_at = 0) then 6
      when exists (select 1 from outbox o where o.subject = new.v->>3 and o.connection = new.v->>1) then 2
      when (new.v->>5) > (new.v->>10) then 1
      else 0
    end,
    new.v->>5, 0, 0, 0, '', new.v->>6, new.v->>7, new.v->>8,
    max(new.v->>10, coalesce(1 + (
      select max(o.staged_at) from outbox o where o.subject = new.v->>3 and o.connection = new.v->>1), 0)));
end;

-- name: effect (id, connection, operation, subject, intent, due, held by case, command, document, message, now)
-- One row for the key, for ever; a key that is there already stages nothing.
insert into effect (subject, connection, operation, intent, id, message, staged_at)
select r.value->>3, r.value->>1, r.value->>2, r.value->>4, r.value->>0, r.value->>9, r.value->>10
from jsonb_each(new.effect) r where true
on conflict do nothing;
insert into row_outbox (v) select r.value from jsonb_each(new.effect) r
where exists (
  select 1 from effect e
  where e.subject = r.value->>3 and e.connection = r.value->>1 and e.operation = r.value->>2 and e.intent = r.value->>4
    and e.id = r.value->>0);

-- name: effect_claimed (id, lease until)
update outbox set state = 3, lease_until = r.value->>1, attempt = attempt + 1
from jsonb_each(new.effect_claimed) r where outbox.id = r.value->>0;

-- name: row_effect_retried
create temp view row_effect_retried as select null as v;

-- name: row_effect_retried_each
-- Of one in doubt the person says that it did not happen; of any other it is still asked, where it may have. What
-- certainly did not happen is still held back by another case of its subject.
create temp trigger row_effect_retried_each instead of insert on row_effect_retried begin
  update outbox set state = case when held = 1 and (unclear = 0 or state = 5) and exists (
      select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6 else 0 end,
    attempt = 0, due_at = 0, unclear = case when state = 5 then 0 else unclear end
  where id = new.v->>0 and state in (4, 5);
end;

-- name: effect_retried (id)
insert into row_effect_retried (v) select r.value from jsonb_each(new.effect_retried) r;

-- name: mark (connection, operation, key, now)
insert into mark (connection, operation, key, state, due_at, attempt, marked_at, dirty, sent, sent_at)
select r.value->>0, r.value->>1, r.value->>2, 0, 0, 0, r.value->>3, 0, '', 0 from jsonb_each(new.mark) r where true
on conflict (connection, operation, key) do update set
  state = case when state = 4 then 0 else state end, dirty = case when state = 3 then 1 else dirty end,
  marked_at = case when state = 4 then excluded.marked_at else marked_at end;

-- name: mark_claimed (connection, operation, key, lease until)
-- From here until it is settled nobody knows what the partner holds, so what was sent before is not kept.
update mark set state = 3, dirty = 0, due_at = r.value->>3, attempt = attempt + 1, sent = ''
from jsonb_each(new.mark_claimed) r
where mark.connection = r.value->>0 and mark.operation = r.value->>1 and mark.key = r.value->>2;

-- name: mark_settled (connection, operation, key, state, due, sent or null, now)
-- One that is not claimed any more has outlived its lease: it may have been marked again since, so it is looked at again.
update mark set
  state = case when dirty = 1 or (state <> 3 and (r.value->>3) = 4) then 0 else r.value->>3 end, due_at = r.value->>4,
  attempt = case when (r.value->>3) = 4 then 0 else attempt end,
  sent = coalesce(r.value->>5, sent), sent_at = case when (r.value->>5) is null then sent_at else r.value->>6 end,
  marked_at = case when dirty = 1 then r.value->>6 else marked_at end, dirty = 0
from jsonb_each(new.mark_settled) r
where mark.connection = r.value->>0 and mark.operation = r.value->>1 and mark.key = r.value->>2;

-- name: message_retried (id)
update inbox set state = 0, attempt = 0, due_at = 0
from jsonb_each(new.message_retried) r where inbox.id = r.value->>0 and inbox.state = 3;

-- name: body_edited (message, actor, now; blob: raw bytes, sealed)
insert into body_before_edit (message, at, actor, raw)
select b.message, r.value->>2, r.value->>1, b.raw
from jsonb_each(new.body_edited) r cross join body b on b.message = r.value->>0;
update body set raw = substr(new.blob, r.value->>'$[3][0]', r.value->>'$[3][1]')
from jsonb_each(new.body_edited) r where body.message = r.value->>0;

-- name: batch_done (worker)
delete from batch where worker in (select r.value->>0 from jsonb_each(new.batch_done) r);

-- name: batch (worker, first, size, crashes)
insert into batch (worker, first, size, crashes)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3 from jsonb_each(new.batch) r where true
on conflict (worker) do update set first = excluded.first, size = excluded.size, crashes = excluded.crashes;

-- name: row_free
create temp view row_free as select null as v;

-- name: row_free_each
-- A message that left and held nothing frees nobody: it overtook, and another one may hold.
create temp trigger row_free_each instead of insert on row_free begin
  delete from hold where subject = new.v->>0 and source = new.v->>1
    and coalesce(new.v->>2, message) = message;
  update inbox set state = 0 where subject = new.v->>0 and source = new.v->>1 and state = 2 and state >= 1
    and not exists (select 1 from hold h where h.subject = inbox.subject and h.source = inbox.source);
end;

-- name: free (subject, source, message; without one: whichever holds)
insert into row_free (v) select r.value from jsonb_each(new.free) r;

-- name: inbox (id, source, kind, subject, lane, state, due, received, parent, position, origin)
insert into inbox (id, source, kind, subject, lane, state, due_at, attempt, received_at, parent, position, origin)
select r.value->>0, r.value->>1, r.value->>2, r.value->>3, r.value->>4, r.value->>5, r.value->>6, 0, r.value->>7,
  r.value->>8, r.value->>9, r.value->>10
from jsonb_each(new.inbox) r;

-- name: body (message; blobs: raw bytes, sealed; headers)
insert into body (message, headers, raw)
select r.value->>0, cast(substr(new.blob, r.value->>'$[1][2]', r.value->>'$[1][3]') as text),
  substr(new.blob, r.value->>'$[1][0]', r.value->>'$[1][1]')
from jsonb_each(new.body) r;
