-- What a transaction writes, as one program: an ordered list of operations, each a row of JSON, run in one step.
--
-- SQLite then works without the interpreter's lock from the first row to the last: statement by statement, each step
-- would wait for the lock anew (docs/adr/0002). The writer inserts into the view; one trigger an operation does it.
-- v is [operation, argument 1, ...]; b and b2 are blobs of the row, where it has them: what is large and needs no
-- reading travels so, past the JSON.

-- name: program
create temp view program as select null as op, null as v, null as b, null as b2;

-- name: subject (number, salt in hex, trace, now)
create temp trigger program_subject instead of insert on program when new.op = 'subject' begin
  insert into subject (no, salt, trace, created_at) values (new.v->>1, unhex(new.v->>2), new.v->>3, new.v->>4);
end;

-- name: reference (connection, kind, ref, subject)
create temp trigger program_reference instead of insert on program when new.op = 'reference' begin
  insert into reference (connection, kind, ref, subject)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4) on conflict do nothing;
end;

-- name: inbox (id, source, kind, subject, lane, state, due, received, parent, position, origin)
create temp trigger program_inbox instead of insert on program when new.op = 'inbox' begin
  insert into inbox (id, source, kind, subject, lane, state, due_at, attempt, received_at, parent, position, origin)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7, 0, new.v->>8, new.v->>9,
    new.v->>10, new.v->>11);
end;

-- name: body (message; blobs: raw bytes, sealed; headers)
create temp trigger program_body instead of insert on program when new.op = 'body' begin
  insert into body (message, headers, raw) values (new.v->>1, cast(new.b2 as text), new.b);
end;

-- name: seen (subject, source, kind, version, hash, message, now)
create temp trigger program_seen instead of insert on program when new.op = 'seen' begin
  insert into seen (subject, source, kind, version, hash, message, at)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7) on conflict do nothing;
end;

-- name: count (source, name, by)
create temp trigger program_count instead of insert on program when new.op = 'count' begin
  insert into counter (source, name, value) values (new.v->>1, new.v->>2, new.v->>3)
  on conflict (source, name) do update set value = value + excluded.value;
end;

-- name: finish (id, outcome, note, now, resolution of its case)
-- What a case held is due again, unless another of its key goes first. Ids say nothing about who stands at the head: an
-- older message that was handled later stages a lower one.
create temp trigger program_finish instead of insert on program when new.op = 'finish' begin
  insert into message (id, source, kind, subject, received_at, handled_at, outcome, note, attempts, parent, position,
    origin)
  select id, source, kind, subject, received_at, new.v->>4, new.v->>2, new.v->>3, attempt + 1, parent, position, origin
  from inbox where id = new.v->>1;
  update case_file set closed_at = new.v->>4, resolution = new.v->>5
  where closed_at = 0 and message = new.v->>1 and about = 'message ' || message;
  update outbox set state = case when exists (
      select 1 from outbox o
      where o.subject = outbox.subject and o.connection = outbox.connection and o.id <> outbox.id
        and (o.state not in (2, 6) or (o.state = 6 and o.id < outbox.id))) then 2
    when due_at > (new.v->>4) then 1 else 0 end
  where state = 6 and subject = (select subject from inbox where id = new.v->>1)
    and not exists (select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0);
  delete from inbox where id = new.v->>1;
end;

-- name: inbox_state (id, state, due, attempts spent)
create temp trigger program_inbox_state instead of insert on program when new.op = 'inbox_state' begin
  update inbox set state = new.v->>2, due_at = new.v->>3, attempt = attempt + (new.v->>4) where id = new.v->>1;
end;

-- name: hold (subject, source, message, reason)
create temp trigger program_hold instead of insert on program when new.op = 'hold' begin
  insert into hold (subject, source, message, reason) values (new.v->>1, new.v->>2, new.v->>3, new.v->>4)
  on conflict (subject, source) do update set message = excluded.message, reason = excluded.reason;
end;

-- name: free (subject, source, message; without one: whichever holds)
-- A message that left and held nothing frees nobody: it overtook, and another one may hold.
create temp trigger program_free instead of insert on program when new.op = 'free' begin
  delete from hold where subject = new.v->>1 and source = new.v->>2
    and coalesce(new.v->>3, message) = message;
  update inbox set state = 0 where subject = new.v->>1 and source = new.v->>2 and state = 2
    and not exists (select 1 from hold h where h.subject = inbox.subject and h.source = inbox.source);
end;

-- name: attempt (about, id, number, kind, text, now)
create temp trigger program_attempt instead of insert on program when new.op = 'attempt' begin
  insert into attempt (about, id, number, kind, text, at)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6) on conflict do nothing;
end;

-- name: process (subject, version expected, connection, external id, number, commitment, custody, money, stage,
--   finished, currency, total, placed, now; blob: value)
create temp trigger program_process instead of insert on program when new.op = 'process' begin
  select raise(abort, 'stale process') where coalesce((select version from process where subject = new.v->>1), 0)
    <> (new.v->>2);
  insert into process (subject, version, value, connection, external_id, number, commitment, custody, money, stage,
    finished, currency, total, placed_at, updated_at)
  values (new.v->>1, 1 + (new.v->>2), cast(new.b as text), new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7,
    new.v->>8, new.v->>9, new.v->>10, new.v->>11, new.v->>12, new.v->>13, new.v->>14)
  on conflict (subject) do update set version = excluded.version, value = excluded.value, number = excluded.number,
    commitment = excluded.commitment, custody = excluded.custody, money = excluded.money, stage = excluded.stage,
    finished = excluded.finished, currency = excluded.currency, total = excluded.total,
    placed_at = excluded.placed_at, updated_at = excluded.updated_at;
end;

-- name: document (id; blobs: party, sealed; value)
create temp trigger program_document instead of insert on program when new.op = 'document' begin
  insert into document (id, value, party) values (new.v->>1, cast(new.b2 as text), new.b)
  on conflict (id) do update set value = excluded.value, party = excluded.party;
end;

-- name: level (sku, location, on hand, reserved, allocated, safety, quarantined, elsewhere, incoming, as of)
create temp trigger program_level instead of insert on program when new.op = 'level' begin
  insert into level (sku, location, on_hand, reserved, allocated, safety_stock, quarantined, committed_elsewhere,
    incoming, as_of)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7, new.v->>8, new.v->>9,
    new.v->>10)
  on conflict (sku, location) do update set on_hand = excluded.on_hand, reserved = excluded.reserved,
    allocated = excluded.allocated, safety_stock = excluded.safety_stock, quarantined = excluded.quarantined,
    committed_elsewhere = excluded.committed_elsewhere, incoming = excluded.incoming, as_of = excluded.as_of;
end;

-- name: unseen (sku, location, seen at, token, number, master, quantity; forget before)
create temp trigger program_unseen instead of insert on program when new.op = 'unseen' begin
  delete from unseen
  where sku = new.v->>1 and location = new.v->>2 and seen_at between 1 and (new.v->>8) - 1;
  insert into unseen (sku, location, seen_at, token, number, master, quantity)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7)
  on conflict (sku, location, seen_at, token, number) do update set quantity = quantity + excluded.quantity;
end;

-- name: unseen_joined (token, numbers, new token)
create temp trigger program_unseen_joined instead of insert on program when new.op = 'unseen_joined' begin
  update unseen set token = new.v->>3
  where token = new.v->>1 and seen_at = 0 and number in (select value from json_each(new.v->2));
end;

-- name: unseen_told (token, seen at)
create temp trigger program_unseen_told instead of insert on program when new.op = 'unseen_told' begin
  update unseen set seen_at = new.v->>2 where token = new.v->>1 and seen_at = 0;
end;

-- name: unseen_forgotten (sku, location, until)
create temp trigger program_unseen_forgotten instead of insert on program when new.op = 'unseen_forgotten' begin
  delete from unseen where sku = new.v->>1 and location = new.v->>2 and seen_at between 1 and (new.v->>3);
end;

-- name: product (sku, value)
create temp trigger program_product instead of insert on program when new.op = 'product' begin
  insert into product (sku, value) values (new.v->>1, new.v->>2)
  on conflict (sku) do update set value = excluded.value;
end;

-- name: movement (subject, message, position, sku, location, bucket, quantity, reason, now)
create temp trigger program_movement instead of insert on program when new.op = 'movement' begin
  insert into movement (subject, message, position, sku, location, bucket, quantity, reason, at)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7, new.v->>8, new.v->>9);
end;

-- name: posting (subject, message, position, currency, reason, entries, at)
create temp trigger program_posting instead of insert on program when new.op = 'posting' begin
  insert into posting (subject, message, position, currency, reason, entries, at)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7);
end;

-- name: ticket (connection, store, day, till, sequence, subject, at, value)
create temp trigger program_ticket instead of insert on program when new.op = 'ticket' begin
  insert into ticket (connection, store, day, till, sequence, subject, at, value)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7, new.v->>8)
  on conflict do nothing;
end;

-- name: pulse (connection, store, at)
create temp trigger program_pulse instead of insert on program when new.op = 'pulse' begin
  insert into pulse (connection, store, at) values (new.v->>1, new.v->>2, new.v->>3)
  on conflict (connection, store) do update set at = max(at, excluded.at);
end;

-- name: event (subject, message, position, type, data, now)
create temp trigger program_event instead of insert on program when new.op = 'event' begin
  insert into event (subject, message, position, type, data, at)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6);
end;

-- name: effect (id, connection, operation, subject, intent, due, held by case, command, document, message, now)
-- One row for the key, for ever; a key that is there already stages nothing.
create temp trigger program_effect instead of insert on program when new.op = 'effect' begin
  insert into effect (subject, connection, operation, intent, id, message, staged_at)
  values (new.v->>4, new.v->>2, new.v->>3, new.v->>5, new.v->>1, new.v->>10, new.v->>11) on conflict do nothing;
  insert into outbox (id, connection, operation, subject, intent, state, due_at, attempt, lease_until, unclear, resume,
    held, command, document, staged_at)
  select new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5,
    case
      when (new.v->>7) and exists (
        select 1 from case_file c where c.subject = new.v->>4 and c.closed_at = 0) then 6
      when exists (select 1 from outbox o where o.subject = new.v->>4 and o.connection = new.v->>2) then 2
      when (new.v->>6) > (new.v->>11) then 1
      else 0
    end,
    new.v->>6, 0, 0, 0, '', new.v->>7, new.v->>8, new.v->>9, new.v->>11
  where exists (
    select 1 from effect e
    where e.subject = new.v->>4 and e.connection = new.v->>2 and e.operation = new.v->>3 and e.intent = new.v->>5
      and e.id = new.v->>1);
end;

-- name: effect_claimed (id, lease until)
create temp trigger program_effect_claimed instead of insert on program when new.op = 'effect_claimed' begin
  update outbox set state = 3, lease_until = new.v->>2, attempt = attempt + 1 where id = new.v->>1;
end;

-- name: effect_left (id, subject, connection, operation, intent, outcome, reference, attempts, now)
-- It leaves the outbox; the next of its key is due, unless a case holds it, and a case about it is closed.
create temp trigger program_effect_left instead of insert on program when new.op = 'effect_left' begin
  delete from outbox where id = new.v->>1;
  update effect set done_at = new.v->>9, outcome = new.v->>6, reference = new.v->>7, attempts = new.v->>8
  where subject = new.v->>2 and connection = new.v->>3 and operation = new.v->>4 and intent = new.v->>5;
  update case_file set closed_at = new.v->>9, resolution = 'it went through'
  where (new.v->>8) > 1 and closed_at = 0 and subject = new.v->>2 and effect = new.v->>1;
  update outbox set state = case
    when held = 1 and exists (
      select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6
    when due_at > (new.v->>9) then 1
    else 0 end
  where state = 2 and id = (
    select min(o.id) from outbox o where o.subject = new.v->>2 and o.connection = new.v->>3);
end;

-- name: outbox_state (id, state, due, attempts given back, unclear, resume)
-- One that was never begun is due again, but for a case that was opened meanwhile.
create temp trigger program_outbox_state instead of insert on program when new.op = 'outbox_state' begin
  update outbox set state = case when (new.v->>2) = 0 and held = 1 and (new.v->>5) = 0 and exists (
      select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6 else new.v->>2 end,
    due_at = new.v->>3, attempt = attempt - (new.v->>4), unclear = new.v->>5,
    resume = new.v->>6, lease_until = 0
  where id = new.v->>1;
end;

-- name: mark (connection, operation, key, now)
create temp trigger program_mark instead of insert on program when new.op = 'mark' begin
  insert into mark (connection, operation, key, state, due_at, attempt, marked_at, dirty, sent, sent_at)
  values (new.v->>1, new.v->>2, new.v->>3, 0, 0, 0, new.v->>4, 0, '', 0)
  on conflict (connection, operation, key) do update set
    state = case when state = 4 then 0 else state end, dirty = case when state = 3 then 1 else dirty end,
    marked_at = case when state = 4 then excluded.marked_at else marked_at end;
end;

-- name: mark_claimed (connection, operation, key, lease until)
-- From here until it is settled nobody knows what the partner holds, so what was sent before is not kept.
create temp trigger program_mark_claimed instead of insert on program when new.op = 'mark_claimed' begin
  update mark set state = 3, dirty = 0, due_at = new.v->>4, attempt = attempt + 1, sent = ''
  where connection = new.v->>1 and operation = new.v->>2 and key = new.v->>3;
end;

-- name: mark_settled (connection, operation, key, state, due, sent or null, now)
-- One that is not claimed any more has outlived its lease: it may have been marked again since, so it is looked at again.
create temp trigger program_mark_settled instead of insert on program when new.op = 'mark_settled' begin
  update mark set
    state = case when dirty = 1 or (state <> 3 and (new.v->>4) = 4) then 0 else new.v->>4 end, due_at = new.v->>5,
    attempt = case when (new.v->>4) = 4 then 0 else attempt end,
    sent = coalesce(new.v->>6, sent), sent_at = case when (new.v->>6) is null then sent_at else new.v->>7 end,
    marked_at = case when dirty = 1 then new.v->>7 else marked_at end, dirty = 0
  where connection = new.v->>1 and operation = new.v->>2 and key = new.v->>3;
end;

-- name: case_opened (subject, reason, about, field, text, source, message, effect, now)
-- Effects of the subject that ask for it are held back from now on.
create temp trigger program_case_opened instead of insert on program when new.op = 'case_opened' begin
  insert into case_file (subject, reason, about, field, text, source, message, effect, opened_at, closed_at, owner,
    resolution)
  values (new.v->>1, new.v->>2, new.v->>3, new.v->>4, new.v->>5, new.v->>6, new.v->>7, new.v->>8, new.v->>9, 0, '', '')
  on conflict (subject, reason, about) where closed_at = 0 do update set text = excluded.text, field = excluded.field,
    message = excluded.message, effect = excluded.effect;
  update outbox set state = 6 where subject = new.v->>1 and held = 1 and unclear = 0 and state in (0, 1);
end;

-- name: case_closed (subject, reason, about, resolution, now)
create temp trigger program_case_closed instead of insert on program when new.op = 'case_closed' begin
  update case_file set closed_at = new.v->>5, resolution = new.v->>4
  where subject = new.v->>1 and reason = new.v->>2 and about = new.v->>3 and closed_at = 0;
  update outbox set state = case when exists (
      select 1 from outbox o
      where o.subject = outbox.subject and o.connection = outbox.connection and o.id <> outbox.id
        and (o.state not in (2, 6) or (o.state = 6 and o.id < outbox.id))) then 2
    when due_at > (new.v->>5) then 1 else 0 end
  where state = 6 and subject = new.v->>1
    and not exists (select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0);
end;

-- name: case_signed (id, owner, resolution, now)
create temp trigger program_case_signed instead of insert on program when new.op = 'case_signed' begin
  update case_file set closed_at = new.v->>4, resolution = new.v->>3, owner = new.v->>2
  where id = new.v->>1 and closed_at = 0;
  update outbox set state = case when exists (
      select 1 from outbox o
      where o.subject = outbox.subject and o.connection = outbox.connection and o.id <> outbox.id
        and (o.state not in (2, 6) or (o.state = 6 and o.id < outbox.id))) then 2
    when due_at > (new.v->>4) then 1 else 0 end
  where state = 6 and subject = (select subject from case_file where id = new.v->>1)
    and not exists (select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0);
end;

-- name: cursor (connection, feed, value, now)
create temp trigger program_cursor instead of insert on program when new.op = 'cursor' begin
  insert into cursor (connection, feed, value, at) values (new.v->>1, new.v->>2, new.v->>3, new.v->>4)
  on conflict (connection, feed) do update set value = excluded.value, at = excluded.at;
end;

-- name: batch (worker, first, size, crashes)
create temp trigger program_batch instead of insert on program when new.op = 'batch' begin
  insert into batch (worker, first, size, crashes) values (new.v->>1, new.v->>2, new.v->>3, new.v->>4)
  on conflict (worker) do update set first = excluded.first, size = excluded.size, crashes = excluded.crashes;
end;

-- name: batch_done (worker)
create temp trigger program_batch_done instead of insert on program when new.op = 'batch_done' begin
  delete from batch where worker = new.v->>1;
end;

-- name: message_retried (id)
create temp trigger program_message_retried instead of insert on program when new.op = 'message_retried' begin
  update inbox set state = 0, attempt = 0, due_at = 0 where id = new.v->>1 and state = 3;
end;

-- name: body_edited (message, actor, now; blob: raw bytes, sealed)
create temp trigger program_body_edited instead of insert on program when new.op = 'body_edited' begin
  insert into body_before_edit (message, at, actor, raw)
  select message, new.v->>3, new.v->>2, raw from body where message = new.v->>1;
  update body set raw = new.b where message = new.v->>1;
end;

-- name: effect_retried (id)
-- Of one in doubt the person says that it did not happen; of any other it is still asked, where it may have. What
-- certainly did not happen is still held back by another case of its subject.
create temp trigger program_effect_retried instead of insert on program when new.op = 'effect_retried' begin
  update outbox set state = case when held = 1 and (unclear = 0 or state = 5) and exists (
      select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6 else 0 end,
    attempt = 0, due_at = 0, unclear = case when state = 5 then 0 else unclear end
  where id = new.v->>1 and state in (4, 5);
end;
