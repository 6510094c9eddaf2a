-- statements of: 1
-- killed: the workers that may have died of the message that this one is at, and that alone; separated by commas.
alter table member add column killed text not null default '';
