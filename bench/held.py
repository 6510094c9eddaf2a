"""Fills a store with orders that were all done: a few thousand go through the hub, then their rows are multiplied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import apsw
import psycopg

from bench.parts import CONNECTIONS, done_of, reads_of, until
from bench.world import World, requests_file, send, sent
from crossdock.stores.opening import is_shared

TEMPLATE = 4_000
COPIES = {
    "subject": "no + {s}, salt, trace, created_at",
    "reference": "connection, kind, case when kind = 'order' then cast(cast(ref as bigint) + {n} as text) "
    "else ref || '.{k}' end, subject + {s}",
    "body": "message + {m}, headers, raw",
    "message": "id + {m}, source, kind, subject + {s}, received_at, handled_at, outcome, note, attempts, parent, "
    "position, origin",
    "seen": "subject + {s}, source, kind, version, hash, message + {m}, at",
    "process": "subject + {s}, version, value, connection, external_id, number, commitment, custody, money, stage, "
    "finished, currency, total, placed_at, updated_at",
    "document": "id + {s} * 1024, value, party",
    "movement": "subject + {s}, message + {m}, position, sku, location, bucket, quantity, reason, at",
    "posting": "subject + {s}, message + {m}, position, currency, reason, entries, at",
    "event": "subject + {s}, message + {m}, position, type, data, at",
    "effect": "subject + {s}, connection, operation, intent, id + {m} * 1024, message + {m}, staged_at, done_at, "
    "outcome, reference || '.{k}', attempts",
}
"""How a row of each table is copied: {k} counts copies, {n} moves order ids, {s} subjects, {m} messages."""
SUBJECTS = {"subject": "no", "document": "id / 1024", "reference": "subject", "body": "message"}
MOVED = (
    "create temp table moved as select sku, location, sum(quantity) filter (where bucket = 'on_hand') as on_hand, "
    "sum(quantity) filter (where bucket = 'reserved') as reserved, "
    "sum(quantity) filter (where bucket = 'allocated') as allocated from movement group by sku, location"
)
LEVELS = (
    "update level set on_hand = coalesce(m.on_hand, 0), reserved = coalesce(m.reserved, 0), "
    "allocated = coalesce(m.allocated, 0) from moved m where m.sku = level.sku and m.location = level.location"
)

Run = Callable[[str], list[Any]]


def hold_orders(world: World, orders: int, say: Callable[[str], None], template: int = TEMPLATE) -> None:
    """Make the store hold `orders` orders, all acknowledged, released and booked."""
    template = min(template, orders)
    file = requests_file(world, template, 0)
    with world.running(), reads_of(world) as reads:
        sent(send(world, file, connections=CONNECTIONS))
        until(reads, lambda: all(done >= template for done in done_of(reads).values()))
        until(reads, lambda: not reads.rows("inbox_by_state"))
    say(f"   {template:,} orders went through the hub; copying them to {orders:,}")
    store = world.config.hub.store
    with _on_postgres(str(store)) if is_shared(store) else _on_sqlite(str(store)) as run:
        _multiply(run, orders // template, template)


@contextmanager
def held_open(url: str) -> Iterator[None]:
    """Somebody's transaction that has looked around, and stays open: what dies meanwhile is not cleaned up."""
    with psycopg.connect(url) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select count(*) from outbox").fetchone()
        yield
        connection.execute("select 1")  # the server has not ended it; if it had, nothing was measured


@contextmanager
def _on_sqlite(path: str) -> Iterator[Run]:
    database = apsw.Connection(path)
    database.pragma("synchronous", 0)
    database.pragma("cache_size", -512 * 1024)
    yield lambda statement: database.execute(statement).fetchall()
    database.pragma("wal_checkpoint(truncate)")
    database.close()


@contextmanager
def _on_postgres(url: str) -> Iterator[Run]:
    with psycopg.connect(url, autocommit=True) as connection:

        def run(statement: str) -> list[Any]:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description is not None else []

        run("set synchronous_commit = off")
        yield run
        for sequence, used in (("turn", "max(id) from message"), ("subject_no", "max(no) from subject")):
            run(
                f"select setval('{sequence}', greatest((select last_value from {sequence}), (select {used})))"
            )
        run("vacuum (analyze)")
        run("checkpoint")


def _multiply(run: Run, copies: int, template: int) -> None:
    ((last_subject,),) = run("select max(no) from subject")
    ((last_message,),) = run("select max(message) from body")
    for copy in range(1, copies):
        given = {"k": copy, "n": copy * template, "s": copy * last_subject, "m": copy * last_message}
        run("begin")
        for table, columns in COPIES.items():
            key = SUBJECTS.get(table, "subject")
            bound = last_message if table == "body" else last_subject
            run(
                f"insert into {table} select {columns.format(**given)} from {table} where {key} between 1 and {bound}"
            )
        run("commit")
    run(f"update counter set value = value * {max(1, copies)}")
    run(MOVED)
    run(LEVELS)
