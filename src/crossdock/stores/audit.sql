-- What an audit reads, of subjects after ?1 up to ?2: one text for both databases. A walk along tables that are clustered by subject, so
-- that a page costs the same in a store of a million orders.

-- Of each order its row, the last version of its document, and in how many batches something was decided about it.
-- name: audit_orders
select p.subject, p.version, p.value,
  coalesce((select max(d.id) - p.subject * 1024 from document d
    where d.id > p.subject * 1024 and d.id < p.subject * 1024 + 1024), 0),
  (select count(distinct e.at) from event e
    where e.subject = p.subject and (e.type like 'order.%' or e.type like 'effect.%'))
from process p where p.subject > ?1 and p.subject <= ?2 order by p.subject;

-- name: audit_documents
select id, value from document where id > ?1 * 1024 + 1023 and id <= ?2 * 1024 + 1023 order by id;

-- name: audit_postings
select subject, currency, entries from posting where subject > ?1 and subject <= ?2;

-- What is claimed of stock, by the movements of each order.
-- name: audit_claims
select subject, sku, location, bucket, cast(sum(quantity) as bigint) from movement
where subject > ?1 and subject <= ?2 and bucket in ('reserved', 'allocated')
group by subject, sku, location, bucket having sum(quantity) <> 0;

-- name: audit_cases
select subject, reason, about from case_file where subject > ?1 and subject <= ?2;

-- name: audit_messages
select source, count(*), cast(sum(case when origin like 'replay%' then 1 else 0 end) as bigint),
  cast(sum(case when origin like 'replay%' and origin not like 'replay by _%: _%' then 1 else 0 end) as bigint),
  coalesce(min(case when origin like 'replay%' and origin not like 'replay by _%: _%' then subject end), 0)
from message where subject > ?1 and subject <= ?2 group by source;

-- A delivery that was taken in has a message, handled or waiting.
-- name: audit_deliveries
select count(*), cast(coalesce(sum(gone), 0) as bigint), coalesce(min(case when gone = 1 then subject end), 0) from (
  select s.subject, case when exists (select 1 from message m where m.subject = s.subject and m.id = s.message)
    or exists (select 1 from inbox i where i.id = s.message) then 0 else 1 end as gone
  from seen s where s.subject > ?1 and s.subject <= ?2 and s.kind = 'delivery') d;

-- Whatever was decided names the message that it was decided on.
-- name: audit_decisions
select count(*), cast(coalesce(sum(gone), 0) as bigint), coalesce(min(case when gone = 1 then subject end), 0) from (
  select w.subject, case when exists (select 1 from message m where m.subject = w.subject and m.id = w.message)
    then 0 else 1 end as gone
  from (select distinct subject, message from event where subject > ?1 and subject <= ?2) w) d;

-- Effects that are done, and documents of one order that several of its effects made.
-- name: audit_effects
select cast(coalesce(sum(made), 0) as bigint), cast(coalesce(sum(case when made > 1 then 1 else 0 end), 0) as bigint),
  coalesce(min(case when made > 1 then subject end), 0) from (
  select subject, count(*) as made from effect
  where subject > ?1 and subject <= ?2 and reference <> '' and outcome = 'done'
    and (operation like 'create%' or operation in ('release', 'post_day'))
  group by subject, connection, operation, reference) d;

-- Over all of them at once: a document may belong to one effect here and to another far away.
-- name: effects_twice
select count(*), coalesce(min(first), 0) from (
  select min(subject) as first from effect
  where subject > ?1 and subject <= ?2 and reference <> '' and outcome = 'done'
    and (operation like 'create%' or operation in ('release', 'post_day'))
  group by connection, operation, reference having count(*) > 1) d;

-- name: handled_messages
select source, cast(sum(value) as bigint) from counter where name in ('processed', 'unhandled') group by source;

-- name: kept_proof
select value, at from cursor where connection = 'hub' and feed = ?1;
