"""`crossdock demo`: from an empty folder to the proof, and nothing left behind."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from crossdock.bootstrap.proof import prove
from crossdock.demo.balance import compare
from crossdock.demo.books import read_books
from crossdock.demo.children import Child, HubProcesses, hub_processes, partners_process
from crossdock.demo.options import WORKERS, Options
from crossdock.demo.play import READY_S, Play, Played
from crossdock.demo.postgres import PostgresServer
from crossdock.demo.report import WIDTH_MAX, Report, make_report, print_report, report_json
from crossdock.demo.retailer import Retailer, connect, found_retailer
from crossdock.demo.screen import LiveScreen, PlainScreen, Screen
from crossdock.demo.tryton import Auditor, make_server
from crossdock.demo.watch import Watch
from crossdock.errors import ConfigurationError
from crossdock.gateway.server import free_port
from crossdock.testing.tryton import Server

INTERRUPTED = 130
HOST = "127.0.0.1"


class Listening(msgspec.Struct, frozen=True):
    """The first line that the partners' process prints."""

    listening: str


def run_demo(options: Options) -> int:
    """Run it; 0 where everything balances, 1 where something does not, 130 where a person broke it off."""
    port = free_port(HOST, options.port)
    console = _console(options)
    folder = Path(tempfile.mkdtemp(prefix="crossdock-demo-"))
    try:
        with _terminable(), _database(options) as database:
            return _run(options, console, found_retailer(folder, port, options, database))
    except KeyboardInterrupt:
        console.print("\nBroken off; there is no proof.")
        return INTERRUPTED
    finally:
        if options.keep:
            console.print(f"Kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _run(options: Options, console: Console, retailer: Retailer) -> int:
    erp = _tryton(options, console, retailer)
    partners = partners_process(retailer.partners, retailer.folder / "partners.log")
    hub = hub_processes(retailer.config, retailer.folder, retailer.environ, options.store)
    _introduce(console, options, retailer)
    try:
        if erp is not None:
            erp.start()
        partners.start()
        address = _address(partners)
        connect(retailer, address, erp.url if erp is not None else "")
        hub.start()
        with contextlib.closing(Watch(retailer, address)) as watch:
            screen = _screen(options, console, retailer)
            try:
                played = Play(options, hub, partners, watch, screen).run()
            finally:
                screen.close()
            report = _prove(options, played, retailer, watch, erp)
            _show(options, console, report)
            if options.keep:
                _stay(console, retailer, hub)
        return 0 if report.ok else 1
    finally:
        hub.stop()
        partners.stop()
        if erp is not None:
            erp.stop()


def _tryton(options: Options, console: Console, retailer: Retailer) -> Server | None:
    """The real ERP, made and filled; None where it is simulated."""
    if options.erp == "simulated":
        return None
    console.print(f"Tryton is set up with {options.stores + 1} warehouses; that takes a minute or two.")
    return make_server(retailer.folder / "tryton", retailer)


def _prove(options: Options, played: Played, retailer: Retailer, watch: Watch, erp: Server | None) -> Report:
    with contextlib.ExitStack() as stack:
        reads = stack.enter_context(watch.reads())
        auditor = stack.enter_context(contextlib.closing(Auditor(erp.url))) if erp is not None else None
        books = read_books(watch.books(), reads, retailer, auditor)
        times = [row[1] for row in reads.rows("recent_capture_times", 0)]
        checks = prove(reads, time.time_ns() // 1000, full=True)
    return make_report(options, played, found=compare(books), books=books, checks=checks, times=times)


def _show(options: Options, console: Console, report: Report) -> None:
    if options.json:
        sys.stdout.write(msgspec.json.encode(report_json(report)).decode() + "\n")
        sys.stdout.flush()
    else:
        print_report(console, report)


def _introduce(console: Console, options: Options, retailer: Retailer) -> None:
    troubles = "nothing goes wrong this time"
    if options.faults:
        dies = "halfway the hub is killed"
        if options.store == "postgres":
            dies = f"every {options.kills[0]:.0f} seconds one of its {WORKERS} workers is killed"
        troubles = f"things go wrong on purpose, and {dies}"
    erp = "an ERP" if options.erp == "simulated" else "a real Tryton"
    stores = ""
    if retailer.stores is not None:
        stores = f"{len(retailer.stores.zones)} stores in four time zones sell {options.tickets:g} tickets a second; "
    console.print(
        f"A shop sells {options.orders:,} orders, {options.rate:g} a second, to be booked by {erp} and shipped by a "
        f"warehouse; {stores}{troubles} (seed {options.seed})."
    )
    if options.store == "postgres":
        console.print(
            f"The hub is a process a role over one PostgreSQL: a gateway, {WORKERS} workers, a dispatcher, a scheduler."
        )
    console.print(f"Look around while it runs: {retailer.url} with the token {retailer.token}\n")


def _stay(console: Console, retailer: Retailer, hub: HubProcesses) -> None:
    console.print(
        f"The hub stays up at {retailer.url} (token {retailer.token}) until Ctrl-C. From another terminal:\n"
        f"  crossdock cases --config {retailer.config}"
    )
    with contextlib.suppress(KeyboardInterrupt):
        while all(child.alive for child in hub.children):
            time.sleep(0.5)


def _address(partners: Child) -> str:
    """Where the partners listen, as they say in their first line."""
    limit = time.monotonic() + READY_S
    while time.monotonic() < limit:
        partners.require_alive()
        first, ended, _ = partners.log.read_bytes().partition(b"\n")
        if ended:
            return msgspec.json.decode(first, type=Listening).listening
        time.sleep(0.02)
    raise ConfigurationError(f"The demo's partners did not start in {READY_S:.0f} s: {partners.tail()}")


def _console(options: Options) -> Console:
    """Everything for people; on stderr where stdout is for a machine."""
    stream = sys.stderr if options.json else sys.stdout
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal or console.width > WIDTH_MAX:
        console.width = WIDTH_MAX
    return console


def _screen(options: Options, console: Console, retailer: Retailer) -> Screen:
    if console.is_terminal:
        return LiveScreen(console, options, f"{retailer.url}  {retailer.token}")
    return PlainScreen(console.file, options)


@contextlib.contextmanager
def _database(options: Options) -> Iterator[str]:
    """The address of a database of our own, where one is wanted; it is gone with its server at the end."""
    if options.store == "sqlite":
        yield ""
        return
    server = PostgresServer()
    try:
        server.start()
        yield server.make_database("demo")
    finally:
        server.remove()


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: the children must not outlive us."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
