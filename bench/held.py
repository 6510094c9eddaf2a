"""Fills a store with orders that were all done: a few thousand go through the hub, then their rows are multiplied."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from bench.parts import CONNECTIONS, done_of, reads_of, until
from bench.world import World, requests_file, send, sent

TEMPLATE = 4_000
COPIES = {
    "subject": "no + :s, salt, trace, created_at",
    "reference": "connection, kind, case when kind = 'order' then cast(cast(ref as integer) + :n as text) "
    "else ref || '.' || :k end, subject + :s",
    "body": "message + :m, headers, raw",
    "message": "id + :m, source, kind, subject + :s, received_at, handled_at, outcome, note, attempts, parent, "
    "position, origin",
    "seen": "subject + :s, source, kind, version, hash, message + :m, at",
    "process": "subject + :s, version, value, connection, external_id, number, commitment, custody, money, stage, "
    "finished, currency, total, placed_at, updated_at",
    "document": "id + :s * 1024, value, party",
    "movement": "subject + :s, message + :m, position, sku, location, bucket, quantity, reason, at",
    "posting": "subject + :s, message + :m, position, currency, reason, entries, at",
    "event": "subject + :s, message + :m, position, type, data, at",
    "effect": "subject + :s, connection, operation, intent, id + :m * 1024, message + :m, staged_at, done_at, "
    "outcome, reference || '.' || :k, attempts",
}
"""How a row of each table is copied: :k counts copies, :n moves order ids, :s subjects, :m messages."""
SUBJECTS = {"subject": "no", "document": "id / 1024", "reference": "subject", "body": "message"}


def hold_orders(world: World, orders: int, say: Callable[[str], None], template: int = TEMPLATE) -> None:
    """Make the store hold `orders` orders, all acknowledged, released and booked."""
    template = min(template, orders)
    file = requests_file(world, template, 0)
    with world.running(), reads_of(world) as reads:
        sent(send(world, file, connections=CONNECTIONS))
        until(reads, lambda: all(done >= template for done in done_of(reads).values()))
        until(reads, lambda: not reads.rows("inbox_by_state"))
    say(f"   {template:,} orders went through the hub; copying them to {orders:,}")
    _multiply(str(world.config.hub.store), orders // template, template)


def _multiply(path: str, copies: int, template: int) -> None:
    database = apsw.Connection(path)
    database.pragma("synchronous", 0)
    database.pragma("cache_size", -512 * 1024)
    last_subject = database.execute("select max(no) from subject").get
    last_message = database.execute("select max(message) from body").get
    for copy in range(1, copies):
        given = {"k": copy, "n": copy * template, "s": copy * last_subject, "m": copy * last_message}
        database.execute("begin")
        for table, columns in COPIES.items():
            key = SUBJECTS.get(table, "subject")
            bound = last_message if table == "body" else last_subject
            database.execute(
                f"insert into {table} select {columns} from {table} where {key} between 1 and {bound}",
                given,
            )
        database.execute("commit")
    database.execute("update counter set value = value * ?", (max(1, copies),))
    database.execute(
        "create temp table moved as select sku, location, sum(quantity) filter (where bucket = 'on_hand') as on_hand, "
        "sum(quantity) filter (where bucket = 'reserved') as reserved, "
        "sum(quantity) filter (where bucket = 'allocated') as allocated from movement group by sku, location"
    )
    database.execute(
        "update level set on_hand = coalesce(m.on_hand, 0), reserved = coalesce(m.reserved, 0), "
        "allocated = coalesce(m.allocated, 0) from moved m where m.sku = level.sku and m.location = level.location"
    )
    database.pragma("wal_checkpoint(truncate)")
    database.close()
