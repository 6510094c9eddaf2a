-- statements of: 1
-- outside a transaction
-- Calls of one key go in the order in which they were staged.
drop index concurrently if exists outbox_key_next;
create index concurrently outbox_key_next on outbox (subject, connection, staged_at);
drop index concurrently if exists outbox_key;
alter index outbox_key_next rename to outbox_key;
