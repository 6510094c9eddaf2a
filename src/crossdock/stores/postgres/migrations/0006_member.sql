-- statements of: 1
-- A lease is held as long as its owner's row here is renewed. rowwise: whether it judges others by the rows of their leases,
-- as releases before this one do; while such a one is at work, all renew those rows, too.
alter table member add column rowwise boolean not null default true;
