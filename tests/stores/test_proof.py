"""Every rule of the proof catches a breach that is planted, on both databases: a checker that cannot fail proves nothing."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec
import psycopg
import pytest

from crossdock.bootstrap import auditing, proof
from crossdock.bootstrap.auditing import Audit, begin, go_on
from crossdock.bootstrap.proof import Check, prove
from crossdock.stores.opening import open_reads
from crossdock.stores.postgres import open_store as open_postgres
from crossdock.stores.sql import named_queries
from crossdock.stores.sqlite import open_store as open_sqlite
from crossdock.stores.vault import Vault
from crossdock.testing.store_case import SECOND
from tests.servers import PostgresServer
from tests.stores.trading import Process, Retailer

VAULT = Vault(b"k" * 32)
ORDERS = 13
LATER = 10**18


def trade(retailer: Retailer, store: Any) -> None:
    """Every order to its end."""
    process = Process(retailer, store)
    retailer.open_with_stock(store)
    for _ in range(40):
        retailer.now += SECOND
        retailer.deliver(lambda: store)
        while process.pipeline.step(retailer.now) + process.dispatcher.step(retailer.now):
            store.wake(retailer.now)
        store.wake(retailer.now)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traded")
    store = open_sqlite(folder / "x.db", VAULT)
    trade(Retailer(folder, ORDERS, 10_000), store)
    store.truncate_log()
    store.close()
    return folder / "x.db"


class Book:
    """A store as somebody writes to it who should not."""

    def __init__(self, address: Path | str) -> None:
        self.address = address
        self.raw: Any = (
            apsw.Connection(str(address))
            if isinstance(address, Path)
            else psycopg.connect(address, autocommit=True)
        )

    def do(self, statement: str) -> list[Any]:
        cursor = self.raw.execute(statement)
        rows = isinstance(self.address, Path) or cursor.description is not None
        return cursor.fetchall() if rows else []

    def edit(self, table: str, column: str, where: str, change: Callable[[Any], None]) -> None:
        """Change a value that is JSON."""
        value = json.loads(self.do(f"select {column} from {table} where {where}")[0][0])
        change(value)
        text = json.dumps(value).replace("'", "''")
        self.do(f"update {table} set {column} = '{text}' where {where}")

    def order(self, subject: int, change: Callable[[Any], None]) -> None:
        self.edit("process", "value", f"subject = {subject}", change)

    def orders(self) -> list[int]:
        return [row[0] for row in self.do("select subject from process order by subject")]

    def checks(self, **how: Any) -> list[Check]:
        reads = open_reads(self.address, VAULT)
        try:
            return prove(reads, LATER, **how)
        finally:
            reads.close()

    def broken(self, **how: Any) -> dict[str, str]:
        return {check.name: check.text for check in self.checks(**how) if not check.ok}

    def close(self) -> None:
        self.raw.close()


@pytest.fixture
def book(traded: Path, tmp_path: Path) -> Iterator[Book]:
    opened = Book(Path(shutil.copy(traded, tmp_path / "x.db")))
    yield opened
    opened.close()


def lose_messages(book: Book, subject: int) -> None:
    book.do(f"delete from message where subject = {subject} and source = 'shop'")


def lose_decided(book: Book, subject: int) -> None:
    book.do(f"delete from message where subject = {subject} and source = 'hub'")


def miscount(book: Book, subject: int) -> None:
    book.do("update counter set value = value + 1 where source = 'hub' and name in ('processed', 'accepted')")


def double(book: Book, subject: int) -> None:
    book.do(
        "insert into effect (subject, connection, operation, intent, id, message, staged_at, done_at, outcome, reference, "
        "attempts) select subject, connection, operation, 'again', id, message, staged_at, done_at, outcome, reference, "
        f"attempts from effect where subject = {subject} and operation = 'create_sale'"
    )


def two_sales(book: Book, subject: int) -> None:
    sale = {"connection": "erp", "currency": "EUR", "total": 1}
    book.order(subject, lambda o: o.update(booked=[sale | {"document": n} for n in ("S1", "S2")]))


def share(book: Book, subject: int) -> None:
    other = f"select reference from effect where subject = {subject + 1} and operation = 'create_sale'"
    book.do(
        f"update effect set reference = ({other}) where subject = {subject} and operation = 'create_sale'"
    )


def mistotal(book: Book, subject: int) -> None:
    def change(document: Any) -> None:
        document["buyer_total"] += 1

    book.edit("document", "value", f"id = {subject * 1024 + 1}", change)


def unbalance(book: Book, subject: int) -> None:
    def change(entries: Any) -> None:
        entries[0][1] += 1

    at = f"message = (select min(message) from posting where subject = {subject}) and position = 0"
    book.edit("posting", "entries", f"subject = {subject} and {at}", change)


def reserve(book: Book, subject: int) -> None:
    book.do(
        f"insert into movement select {subject}, 1, count(*), 'SKU-0001', 'main', 'reserved', 1, 'reserve', 1 from movement"
    )


def keep_expired(book: Book, subject: int) -> None:
    def change(order: Any) -> None:
        order.update(commitment="tentative", expired=True)
        order["pieces"][0]["claims"] = {"main": 1}

    reserve(book, subject)
    book.order(subject, change)


def overship(book: Book, subject: int) -> None:
    def change(order: Any) -> None:
        order["lines"][0]["shipped"] = order["lines"][0]["ordered"] + 1

    about_something_else(book, subject)
    book.order(subject, change)


def overreturn(book: Book, subject: int) -> None:
    def change(order: Any) -> None:
        order["lines"][0]["returned"] = order["lines"][0]["shipped"] + 1

    about_something_else(book, subject)
    book.order(subject, change)


def overrefund(book: Book, subject: int) -> None:
    about_something_else(book, subject)
    book.order(subject, lambda o: o.update(refunds=[{"key": "r", "done": True, "total": o["total"] + 1}]))


def about_something_else(book: Book, subject: int, reason: str = "order.held", about: str = "") -> None:
    book.do(
        "insert into case_file (subject, reason, about, field, text, source, message, effect, opened_at, closed_at, owner, "
        f"resolution) values ({subject}, '{reason}', '{about}', '', '', '', 0, 0, 1, 2, '', '')"
    )


def set_back(book: Book, subject: int) -> None:
    book.do(f"update process set version = 1 where subject = {subject}")


def forget_document(book: Book, subject: int) -> None:
    book.order(subject, lambda o: o.update(document=o["document"] + 1))


def older_document(book: Book, subject: int) -> None:
    of = f"id / 1024 = {subject}"
    last = book.do(f"select max(id) from document where {of}")[0][0]
    book.do(f"insert into document select id + 1, value, party from document where id = {last}")
    old = {"version": "2001-01-01T00:00:00.000000Z"}
    book.edit("document", "value", f"id = {last + 1}", lambda d: d.update(old))
    book.order(subject, lambda o: o.update(document=last + 1 - subject * 1024))


def nameless(book: Book, subject: int) -> None:
    book.do(f"update message set origin = 'replay' where subject = {subject} and source = 'shop'")


def shift(book: Book, subject: int) -> None:
    book.do("update level set on_hand = on_hand + 1 where sku = 'SKU-0002'")


PLANTED = [
    ("a", auditing.ON_RECORD, lose_messages),
    ("a", auditing.ON_RECORD, lose_decided),
    ("a", proof.COUNTERS, miscount),
    ("c", auditing.ONCE, double),
    ("c", auditing.ONCE, two_sales),
    ("c", proof.DOCUMENTS, share),
    ("d", auditing.TOTALS, mistotal),
    ("e", auditing.POSTINGS, unbalance),
    ("f", auditing.CLAIMS, reserve),
    ("f", auditing.CLAIMS, keep_expired),
    ("f", proof.MOVEMENTS, shift),
    ("g", auditing.QUANTITIES, overship),
    ("g", auditing.QUANTITIES, overreturn),
    ("g", auditing.REFUNDS, overrefund),
    ("h", auditing.VERSIONS, set_back),
    ("h", auditing.VERSIONS, forget_document),
    ("h", auditing.VERSIONS, older_document),
    ("j", auditing.REPLAYS, nameless),
]
OF_AN_ORDER = {rule for _, rule, _ in PLANTED} & {*auditing.RULES, proof.DOCUMENTS}


def test_a_store_that_is_in_order_is_proved_letter_by_letter(book):
    checks = book.checks()
    assert [check.text for check in checks if not check.ok] == []
    assert all(check.whole for check in checks)
    assert {check.letter for check in checks} == set("abcdefghij")
    assert {check.name for check in checks if check.count} >= {*auditing.RULES} - {auditing.REPLAYS}


@pytest.mark.parametrize(("letter", "rule", "plant"), PLANTED, ids=[plant.__name__ for *_, plant in PLANTED])
def test_what_is_planted_is_found(book, letter, rule, plant):
    subject = book.orders()[4]
    plant(book, subject)
    found = {check.name: check for check in book.checks()}
    assert not found[rule].ok
    assert found[rule].letter == letter
    if rule in OF_AN_ORDER:
        assert f"CD{subject:010d}" in found[rule].text


def test_what_is_planted_in_postgresql_is_found(postgres: PostgresServer, url: str, tmp_path: Path):
    store = open_postgres(url, VAULT)
    trade(Retailer(tmp_path, ORDERS, 10_000), store)
    store.close()
    book = Book(url)
    assert book.broken(full=True) == {}
    subjects = iter(book.orders()[:-1])
    for *_, plant in PLANTED:
        if plant not in (two_sales, lose_decided, overreturn, forget_document, set_back, keep_expired):
            plant(book, next(subjects))
    found = book.broken(full=True)
    book.close()
    assert {rule for _, rule, _ in PLANTED} <= found.keys()


def test_of_several_processes_one_proves_and_all_read_what_it_found(url: str):
    first, second = open_postgres(url, VAULT), open_postgres(url, VAULT)
    assert not first.leads()
    for store in (first, second):
        store.wake(LATER)
    assert [first.leads(), second.leads()] == [True, False]
    kept = proof.Kept(at=7, checks=[Check(letter="d", name=auditing.TOTALS, ok=False, count=1, text="off")])
    first.keep_proof({proof.KEPT: msgspec.json.encode(kept).decode()}, 7)
    reads = second.reads()
    assert proof.kept_proof(reads) == kept
    reads.close()
    first.close()
    second.close()


def test_what_the_running_hub_has_found_stands_in_a_proof_that_reads_less(traded: Path, tmp_path: Path):
    store = open_sqlite(Path(shutil.copy(traded, tmp_path / "x.db")), VAULT)
    off = Check(letter="d", name=auditing.TOTALS, ok=False, count=1, text="CD0000000002 is off")
    kept = proof.Kept(at=LATER // 1000, whole_at=LATER // 1000, checks=[off])
    store.keep_proof({proof.KEPT: msgspec.json.encode(kept).decode()}, 7)
    store.close()
    book = Book(tmp_path / "x.db")
    checks = {check.name: check for check in book.checks(orders_max=3)}
    assert "CD0000000002 is off" in checks[auditing.TOTALS].text
    assert not checks[auditing.TOTALS].ok
    assert checks[proof.MOVEMENTS].ok
    assert "held when it was read until" in checks[proof.MOVEMENTS].text
    assert book.broken() == {}, "whoever reads everything needs nobody's word"
    book.close()


def test_a_case_about_just_that_excuses_what_others_did_beyond(book):
    subject = book.orders()[4]
    overship(book, subject)
    overrefund(book, subject)
    assert book.broken().keys() == {auditing.QUANTITIES, auditing.REFUNDS}
    line = json.loads(book.do(f"select value from process where subject = {subject}")[0][0])["lines"][0]["id"]
    about_something_else(book, subject, "shipment.beyond_order", line)
    about_something_else(book, subject, "refund.beyond_captured")
    assert book.broken() == {}


def test_a_proof_of_the_newest_says_how_far_it_read(book):
    oldest, newest = book.orders()[0], book.orders()[-1]
    mistotal(book, oldest)
    checks = {check.name: check for check in book.checks(orders_max=3)}
    assert checks[auditing.TOTALS].ok
    assert not checks[auditing.TOTALS].whole
    assert "read from CD" in checks[auditing.TOTALS].text
    assert "not read" in checks[proof.MOVEMENTS].text
    assert checks["nothing is dropped"].whole
    assert not {check.name: check for check in book.checks(full=True)}[auditing.TOTALS].ok
    mistotal(book, newest)
    assert f"CD{newest:010d}" in book.broken(orders_max=3)[auditing.TOTALS]


def test_an_audit_that_pauses_at_every_page_finds_the_same(book, monkeypatch):
    monkeypatch.setattr(auditing, "PAGE", 1)
    for _, _, plant in PLANTED[3:]:
        plant(book, book.orders()[4])
    reads = open_reads(book.address, VAULT)
    whole = begin(reads, LATER)
    go_on(reads, whole)
    paused: Audit = begin(reads, LATER)
    while not paused.done:
        turns = iter((True,))
        go_on(reads, paused, lambda turns=turns: next(turns, False))
    reads.close()
    assert paused == whole
    assert {found.rule for found in whole.found} == {*auditing.RULES} - {auditing.ON_RECORD}


def test_what_is_mended_is_forgotten_when_it_is_looked_at_again(book):
    subject = book.orders()[4]
    mistotal(book, subject)
    nameless(book, subject)
    reads = open_reads(book.address, VAULT)
    audit = begin(reads, LATER)
    go_on(reads, audit)
    book.do("update message set origin = ''")
    audit.again(reads)
    reads.close()
    assert [(found.rule, found.subject) for found in audit.found] == [(auditing.TOTALS, subject)]


def test_no_page_of_an_audit_scans_a_table(book):
    queries = named_queries("crossdock.stores", "audit.sql")
    pages = {name: text for name, text in queries.items() if name.startswith("audit_")}
    assert len(pages) >= 8
    for name, text in pages.items():
        plan = [row[3] for row in book.raw.execute(f"explain query plan {text}", (1, 2))]
        assert not [line for line in plan if line.startswith("SCAN") and line not in ("SCAN d", "SCAN w")], (
            name
        )
