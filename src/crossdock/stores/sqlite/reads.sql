-- What the faces ask where SQLite needs words of its own: its JSON, its hex, the index to take.

-- name: get_order
select p.subject, p.connection, p.external_id, p.number, p.commitment, p.custody, p.money, p.stage, p.finished,
  p.currency, p.total, p.placed_at, p.updated_at, p.value, s.trace, hex(s.salt)
from process p join subject s on s.no = p.subject where p.subject = ?1;

-- name: list_unfinished_orders
select p.subject, p.connection, p.external_id, p.number, p.commitment, p.custody, p.money, p.stage, p.finished,
  p.currency, p.total, p.placed_at, p.updated_at
from process p indexed by process_unfinished
where p.finished = 0 and p.subject < ?1 and p.stage = ?2 order by p.subject desc limit ?3;

-- name: find_subjects
select distinct subject from reference where ref = ?1 and connection in (select value from json_each(?2))
  and kind in ('order', 'number', 'api', 'ticket', 'store_day')
order by subject desc limit 20;

-- name: get_document
select value, hex(party) from document where id <= ?1 * 1024 + 1023 and id > ?1 * 1024 order by id desc limit 1;

-- name: timeline_attempts
select about, id, number, at, kind, text from attempt
where (about = 'message' and id in (select value from json_each(?1)))
  or (about = 'effect' and id in (select value from json_each(?2)))
order by at limit ?3;

-- name: levels_of
select json_group_array(json_array(l.sku, l.location, l.on_hand, l.reserved, l.allocated, l.safety_stock,
  l.quarantined, l.committed_elsewhere, l.incoming, l.as_of))
from json_each(?1) j join level l on l.sku = j.value;

-- name: counters
select source, name, value from counter order by source, name;

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

-- name: documents_after
select d.id, d.value, hex(d.party), hex(s.salt) from document d join subject s on s.no = d.id / 1024
where d.id > ?1 order by d.id limit ?2;

-- Counters and inbox in one sentence: one snapshot, so that the sum holds at any moment.
-- name: source_balance
select source, sum(accepted), sum(processed), sum(unhandled), sum(repeated), sum(parked), sum(in_flight) from (
  select source, iif(name = 'accepted', value, 0) as accepted, iif(name = 'processed', value, 0) as processed,
    iif(name = 'unhandled', value, 0) as unhandled, iif(name = 'repeated', value, 0) as repeated, 0 as parked,
    0 as in_flight from counter
  union all select source, 0, 0, 0, 0, state = 3, state <> 3 from inbox)
group by source order by source;

-- A file is this process's alone: nobody keeps a transaction open in it that this process does not know of.
-- name: oldest_transaction
select 0, 0, '', 0;

-- One process calls all partners, and knows.
-- name: partner_states
select '', '', 0 where 0;
