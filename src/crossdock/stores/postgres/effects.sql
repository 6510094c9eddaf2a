-- Effects and latest values.

-- name: staged_keys
select subject, connection, operation, intent from effect where subject = any($1::bigint[]);

-- name: waiting_keys
select subject, connection, max(staged_at) from outbox where subject = any($1::bigint[]) group by subject, connection;

-- name: subjects_with_case
select distinct subject from case_file where subject = any($1::bigint[]) and closed_at = 0;

-- Whatever another transaction is just looking at is left for the next time.
-- name: due_effects
select id, operation, attempt, unclear, turn from outbox where connection = $1::text and state = 0 and turn >= $2::bigint
  and ($4::text = '' or operation = $4::text)
order by turn limit $3::bigint for update skip locked;

-- name: claim_effects
update outbox set state = 3, lease_until = $2::bigint, attempt = attempt + 1, owner = $3::text
where id = any($1::bigint[])
returning id, connection, operation, subject, intent, attempt, unclear, resume, command, document, lease_until, staged_at;

-- name: find_traces
select no, salt, trace from subject where no = any($1::bigint[]);

-- name: read_documents
select id, value, party from document where id = any($1::bigint[]);

-- name: outbox_now
select id, attempt, state from outbox where id = any($1::bigint[]) for update;

-- name: leave_outbox
delete from outbox where id = any($1::bigint[]);

-- name: effects_done
update effect set done_at = $8::bigint, outcome = g.outcome, reference = g.reference, attempts = g.attempts
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
  g(subject, connection, operation, intent, outcome, reference, attempts)
where effect.subject = g.subject and effect.connection = g.connection and effect.operation = g.operation
  and effect.intent = g.intent;

-- name: close_cases_of_effects
update case_file set closed_at = $3::bigint, resolution = 'it went through'
where closed_at = 0 and subject = any($1::bigint[]) and effect = any($2::bigint[]) and effect > 0;

-- The next of each key is due, unless a case holds it.
-- name: next_of_keys
update outbox set turn = nextval('turn'), state = case
  when held = 1 and exists (
    select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6
  when due_at > $3::bigint then 1
  else 0 end
from (
  select (
    select o.id from outbox o where o.subject = g.subject and o.connection = g.connection order by o.staged_at, o.id limit 1) as id
  from unnest($1::bigint[], $2::text[]) g(subject, connection)) head
where outbox.id = head.id and outbox.state = 2;

-- One that was never begun is due again, but for a case that was opened meanwhile.
-- name: outbox_states
update outbox set state = case when g.state = 0 and outbox.held = 1 and g.unclear = 0 and exists (
    select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6 else g.state end,
  due_at = g.due_at, attempt = outbox.attempt - g.given_back, unclear = g.unclear, resume = g.resume, lease_until = 0,
  turn = nextval('turn')
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
  g(id, state, due_at, given_back, unclear, resume)
where outbox.id = g.id;

-- name: lost_claims
select id, unclear, resume from outbox where state = 3 and owner = $1::text and not (id = any($2::bigint[])) for update;

-- name: read_effect
select connection, operation, subject, intent, attempt, state, document from outbox where id = $1::bigint;

-- Of one in doubt the person says that it did not happen; of any other it is still asked, where it may have. What
-- certainly did not happen is still held back by another case of its subject.
-- name: retry_effect
update outbox set state = case when held = 1 and (unclear = 0 or state = 5) and exists (
    select 1 from case_file c where c.subject = outbox.subject and c.closed_at = 0) then 6 else 0 end,
  attempt = 0, due_at = 0, unclear = case when state = 5 then 0 else unclear end, turn = nextval('turn')
where id = $1::bigint and state in (4, 5);

-- From here until it is settled nobody knows what the partner holds, so what was sent before is not kept.
-- name: claim_marks
update mark set state = 3, dirty = 0, due_at = $4::bigint, attempt = mark.attempt + 1, sent = '', owner = $5::text
from (
  select ctid as place, sent, turn from mark
  where connection = $1::text and state = 0 and turn >= $2::bigint order by turn limit $3::bigint
  for update skip locked) due
where mark.ctid = due.place
returning mark.connection, mark.operation, mark.key, mark.attempt, mark.marked_at, due.sent, due.turn;

-- One that is not claimed any more has outlived its lease: it may have been marked again since, so it is looked at again.
-- name: settle_marks
update mark set
  state = case when mark.dirty = 1 or (mark.state <> 3 and g.state = 4) then 0 else g.state end, due_at = g.due_at,
  attempt = case when g.state = 4 then 0 else mark.attempt end,
  sent = case when g.told = 1 then g.sent else mark.sent end,
  sent_at = case when g.told = 1 then $8::bigint else mark.sent_at end,
  marked_at = case when mark.dirty = 1 then $8::bigint else mark.marked_at end, dirty = 0, turn = nextval('turn')
from (
  select mark.connection, mark.operation, mark.key, g.state, g.due_at, g.told, g.sent
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
    g(connection, operation, key, state, due_at, told, sent)
  join mark on mark.connection = g.connection and mark.operation = g.operation and mark.key = g.key
  order by 1, 2, 3 for no key update of mark) g
where mark.connection = g.connection and mark.operation = g.operation and mark.key = g.key;
