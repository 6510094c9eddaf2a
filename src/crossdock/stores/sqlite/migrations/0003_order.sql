-- Calls of one key go in the order in which they were staged.
drop index if exists outbox_key;
create index outbox_key on outbox (subject, connection, staged_at);
