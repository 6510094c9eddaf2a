"""What can be seen of a running demo: the hub by its own API, the partners by what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from crossdock.console.overview import Overview
from crossdock.demo.retailer import ERP, PARTNERS, SHOP, WAREHOUSE, Retailer
from crossdock.demo.stores import STORES
from crossdock.errors import CrossdockError
from crossdock.sdk.calls import get, post
from crossdock.sdk.webhooks import bearer
from crossdock.stores.opening import open_reads
from crossdock.stores.reads import Reads
from crossdock.stores.vault import Vault
from crossdock.transport.http import HttpTransport

T = TypeVar("T")
ASK_S = 5.0
STATE_S = 60.0
STATE_BYTES_MAX = 1 << 30
POLL = "poll"
SHOP_TOKEN = "DEMO_SHOP_TOKEN"
TELLING = (SHOP, WAREHOUSE)
"""Those who send webhooks."""
TO_DO = (0, 1, 3)
"""States of calls that will go out by themselves; what waits behind another one is as its head is."""
RETRYING = 1
"""State of calls that failed and are tried again."""
SENT = 3
"""State of calls that are under way."""
READY, PARKED = 0, 3
"""States of messages: those to be handled now, and those that wait for a person."""


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    """What a partner has told the hub: taken, still to be posted, refused by answer."""

    delivered: int = 0
    waiting: int = 0
    refused: dict[str, int] = {}


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """A partner's own counts. `next_due`: it has something to do by itself."""

    deliveries: Deliveries = Deliveries()
    faults: dict[str, int] = {}
    next_due: int | None = None

    @property
    def quiet(self) -> bool:
        """Nothing to tell and nothing planned."""
        return self.next_due is None and not self.deliveries.waiting


class ShopCounts(msgspec.Struct, frozen=True, kw_only=True):
    """orders: sold. events: webhooks signed, each once whatever became of it."""

    orders: int = 0
    events: int = 0


class Shop(Partner, frozen=True, kw_only=True):
    """The shop's own counts."""

    counts: ShopCounts = ShopCounts()
    stocked: bool = False
    display: dict[str, tuple[int, int]] = {}
    """Of the articles that nobody buys there: the quantity that it lists, and since when (microseconds)."""


class Tills(Partner, frozen=True, kw_only=True):
    """The stores' own counts. offline: those whose line is down; waiting: tickets that they could not send."""

    tickets: int = 0
    closed: int = 0
    offline: list[str] = []
    waiting: int = 0


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """The hub's store: orders of the shop, days and tickets of stores that are not finished, and what is still to be done.

    calls: to partners, but for polls; sent: those of them whose end is not known yet; retrying: those that failed and are
    tried again, by partner; messages: webhooks.
    """

    orders: int = 0
    finished: int = 0
    days_open: int = 0
    calls: int = 0
    sent: int = 0
    messages: int = 0
    retrying: dict[str, int] = {}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one moment; what did not answer is None."""

    shop: Shop | None = None
    erp: Partner | None = None
    warehouse: Partner | None = None
    tills: Tills | None = None
    hub: Overview | None = None
    store: Store | None = None

    @property
    def partners(self) -> list[Partner]:
        """Those who answered."""
        asked = (self.shop, self.erp, self.warehouse, self.tills)
        return [partner for partner in asked if partner is not None]

    def at_rest(self, orders: int, stores: int = 0, held: int = 0) -> bool:
        """Whether all of `orders` are sold, and nobody has anything to do now. Timers of the hub may still run.

        stores: so many must have closed; held: days that a person must decide on.
        """
        shop, hub, store = self.shop, self.hub, self.store
        if shop is None or hub is None or store is None or self.warehouse is None:
            return False
        if stores and (self.tills is None or self.tills.closed < stores or store.days_open > held):
            return False
        told = not any(connection.values_waiting for connection in hub.connections)
        return (
            shop.counts.orders == orders
            and told
            and not store.calls
            and not store.messages
            and all(partner.quiet for partner in self.partners)
        )


class Watch:
    """Looks at everything; changes nothing."""

    def __init__(self, retailer: Retailer, partners_url: str) -> None:
        self._retailer = retailer
        self._partners = HttpTransport(partners_url, response_bytes_max=STATE_BYTES_MAX)
        self._hub = HttpTransport(retailer.url, bearer(retailer.token))

    def close(self) -> None:
        """Give the connections back."""
        self._partners.close()
        self._hub.close()

    def ready(self) -> bool:
        """Whether the hub takes work."""
        try:
            return self._hub.send(get("/readyz"), ASK_S).status == 200
        except CrossdockError:
            return False

    def look(self, *, hub: bool = True) -> Look:
        """Look once; `hub` False where it is known to be dead."""
        return Look(
            shop=self._partner(SHOP, Shop),
            erp=self._partner(ERP, Partner) if ERP in self._retailer.simulated else None,
            warehouse=self._partner(WAREHOUSE, Partner),
            tills=self._partner(STORES, Tills) if self._retailer.stores is not None else None,
            hub=self._overview() if hub else None,
            store=self.store(),
        )

    def books(self) -> dict[str, bytes]:
        """All that each simulated partner holds, as JSON, by its name."""
        names = self._retailer.simulated
        return {name: self._partners.send(get(f"/_state/{name}"), STATE_S).body for name in names}

    def knows_stores(self) -> bool:
        """Whether the hub has read the stock of every store, so that a ticket finds what it sells."""
        stores = self._retailer.stores
        if stores is None:
            return True
        wanted = {(sku, store) for store, stock in stores.opening.items() for sku in stock}
        try:
            with self.reads() as reads:
                return wanted <= set(reads.levels(sorted({sku for sku, _ in wanted})))
        except CrossdockError:
            return False

    def open_all(self) -> bool:
        """Tell the shop and the stores to open; False where one did not hear it."""
        told = [
            post(f"/{SHOP}/-/open", headers={"x-shopify-access-token": self._retailer.environ[SHOP_TOKEN]})
        ]
        if self._retailer.stores is not None:
            told.append(post(f"/{STORES}/-/open"))
        try:
            return all(self._partners.send(request, ASK_S).status == 200 for request in told)
        except CrossdockError:
            return False

    def sell(self, store: str, sku: str) -> None:
        """Have a till of a store sell one unit."""
        self._partners.send(post(f"/{STORES}/{store}/sell", json={"sku": sku}), ASK_S)

    @contextmanager
    def reads(self) -> Iterator[Reads]:
        """The hub's store, read-only, beside the hub."""
        reads = open_reads(self._retailer.store, Vault((self._retailer.data / "key").read_bytes()))
        try:
            yield reads
        finally:
            reads.close()

    def _overview(self) -> Overview | None:
        return self._asked(self._hub, "/v1/overview", {}, Overview)

    def _partner(self, name: str, type_: type[T]) -> T | None:
        return self._asked(self._partners, f"/_state/{name}", {"brief": "1"}, type_)

    def store(self) -> Store | None:
        """What the store holds, whether the hub lives or not; None where it cannot be read now."""
        try:
            with self.reads() as reads:
                orders = {name: (known, done) for name, known, done in reads.rows("orders_by_connection")}
                outbox = [(row[0], *row[2:4]) for row in reads.rows("outbox_by_state") if row[1] != POLL]
                inbox = list(reads.rows("inbox_by_state"))
        except CrossdockError:
            return None
        return Store(
            orders=orders.get(SHOP, (0, 0))[0],
            finished=orders.get(SHOP, (0, 0))[1],
            days_open=_unfinished(orders.get(STORES, (0, 0))),
            calls=sum(count for _, state, count in outbox if state in TO_DO),
            sent=sum(count for _, state, count in outbox if state == SENT),
            retrying={
                name: sum(count for of, state, count in outbox if of == name and state == RETRYING)
                for name in PARTNERS
            },
            messages=sum(count for source, state, count, _ in inbox if _is_to_come(source, state)),
        )

    def calls_sent(self) -> int | None:
        """Calls whose end is not known yet; None where the store cannot be read now."""
        store = self.store()
        return store.sent if store is not None else None

    @staticmethod
    def _asked(transport: HttpTransport, path: str, query: dict[str, str], type_: type[T]) -> T | None:
        try:
            reply = transport.send(get(path, query=query), ASK_S)
            return reply.decode(type_) if reply.status == 200 else None
        except CrossdockError:
            return None


def _unfinished(counts: tuple[int, int]) -> int:
    known, finished = counts
    return known - finished


def _is_to_come(source: str, state: int) -> bool:
    """Whether messages will be handled soon: a till's that wait for their time only look at a day once more."""
    return (source in TELLING and state != PARKED) or (source == STORES and state == READY)
