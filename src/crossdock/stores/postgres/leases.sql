-- Leases, by the clock of the database. $1 is the kind of work throughout, $2 who asks.

-- The one row that is renewed: leases are held as long as it is.
-- name: attend
insert into member (kind, owner, until, rowwise)
values ($1::text, $2::text, clock_timestamp() + $3::bigint * interval '1 us', false)
on conflict (kind, owner) do update set until = excluded.until;

-- name: add_leases
insert into lease (kind, part) select $1::text, part from unnest($2::text[]) g(part) order by part on conflict do nothing;

-- name: held_leases
select part, fence from lease where kind = $1::text and owner = $2::text;

-- For members of an earlier release, which know nothing else.
-- name: renew_leases
update lease set until = clock_timestamp() + $3::bigint * interval '1 us'
from (select part from lease where kind = $1::text and owner = $2::text order by part for no key update) mine
where lease.kind = $1::text and lease.part = mine.part;

-- name: members_alive
select count(*), coalesce(bool_or(rowwise), false) from member where kind = $1::text and until > clock_timestamp();

-- name: give_up_leases
update lease set owner = '', until = '-infinity'
where kind = $1::text and owner = $2::text and part = any($3::text[]);

-- What nobody holds, or whose holder is gone. One that another is just looking at is left to it.
-- name: take_leases
update lease set owner = $2::text, fence = lease.fence + 1,
  until = clock_timestamp() + $3::bigint * interval '1 us'
from (
  select part, owner from lease
  where kind = $1::text and part = any($4::text[]) and owner <> $2::text and (owner = '' or not exists (
    select 1 from member m where m.kind = $1::text and m.owner = lease.owner and m.until > clock_timestamp()))
  order by until, part limit $5::bigint for update skip locked) free
where lease.kind = $1::text and lease.part = free.part
returning lease.part, lease.fence, free.owner;

-- Shared with nobody who wants to take it: until this transaction ends, no other can.
-- name: check_leases
select part, fence from lease where kind = $1::text and owner = $2::text and part = any($3::text[])
order by part for share;

-- name: leave_work
delete from member where kind = $1::text and owner = $2::text;

-- crashes: how many `killed` names, for workers of the last release, which know nothing else.
-- name: begin_batch
update member set first = $3::bigint, size = $4::bigint, crashes = $5::bigint, killed = $6::text
where kind = $1::text and owner = $2::text;

-- name: end_batch
update member set size = 0, crashes = 0, killed = '' where kind = $1::text and owner = $2::text and size > 0;

-- name: batches_of
select first, size, owner, killed from member where kind = $1::text and owner = any($2::text[]) and size > 0;

-- Who of these has not been heard of, and whether for long.
-- name: silent_members
select owner, until < clock_timestamp() - $3::bigint * interval '1 us' from member
where kind = $1::text and owner = any($2::text[]) and until <= clock_timestamp();

-- name: forget_members
delete from member where until < clock_timestamp() - interval '1 day';
