"""Stores with tills: they sell, take back, pay out, fall silent and upload late, and close with a Z report that may be off.

Settings (all optional): `webhook_secret`; `stores` (a number, or {code: IANA zone}), `tills` (of each store, 2), `skus`
({sku: price in minor units}), `currency`; `tickets_per_s` (over all stores; 0: only what is asked for), `tickets_max`;
`close_after_s` (every store closes so long after it began; 0: only when asked), `return_rate`, `void_rate`, `repeat_rate`
(a ticket that is posted twice), `broken_rate` (a ticket that nobody can read); `in_turn` (the stores sell one after the
other, not any by chance), `often` ({store: sales in each turn}), `quiet` ([store]: it sells only what is asked for),
`zones_apart_s` (so much later than the zone before it each zone closes), `waits` (until it is told to open); `silent` ({store: [from_s, until_s]}: what it
sells meanwhile comes in one upload), `cent_off` ([store]: its Z report states a cent too much of its first tender);
`start` (microseconds; else the first time it is looked at). Habits, each off unless its rate is given (see `till_habits`):
`discount_rate`, `weighed_rate` of `weighed_skus` ({sku: price a kilogram}), `deposit_rate`, `gift_card_sold_rate`,
`gift_card_paid_rate`, `split_rate`, `tip_rate`, `rounding_rate` (of cash), `cash_moved_rate` (paid in and out), `over_short_rate`.

Asked for: `POST /-/open`, `/{store}/sell` ({"sku", "quantity"}), `/{store}/close`, `/{store}/offline`, `/{store}/online`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from crossdock.simulator.base import SECOND, Event, SimRequest, SimResponse, json_response, problem
from crossdock.simulator.plain import signed
from crossdock.simulator.till_habits import Habits, Paid

TICK = SECOND // 100
ZONES = ("Europe/Berlin", "Europe/Lisbon", "America/New_York", "Asia/Tokyo")
_encode = msgspec.json.Encoder().encode


class Till(msgspec.Struct):
    """What a till counts for its Z report: numbers used, and what it took less what it gave back."""

    name: str
    sequence: int = 0
    tickets: int = 0
    first: int = 0
    tenders: dict[str, int] = {}


class Store(msgspec.Struct):
    """A store and its books of the day. `waiting`: tickets that it could not send."""

    code: str
    zone: ZoneInfo
    tills: list[Till]
    online: bool = True
    closed: bool = False
    day: str = ""
    waiting: list[dict[str, Any]] = []
    waiting_total: int = 0
    total: int = 0
    back: int = 0
    stated: int = 0
    uploads: int = 0
    late: int = 0
    paid_in: int = 0
    paid_out: int = 0


class TillSimulator:
    """See the module. Deterministic: the same requests at the same times under the same seed give the same events."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self._set = settings.get
        self._secret = str(settings.get("webhook_secret", "")).encode()
        self._dice = random.Random(seed)
        self._habits = Habits(settings, seed)
        self._tills = int(settings.get("tills", 2))
        self.stores = {code: self._store(code, zone) for code, zone in _stores(settings.get("stores", 3))}
        self._codes = self._sellers(settings)
        self._next = 0
        self._waits = bool(settings.get("waits", False))
        self._offsets = self._closing(float(settings.get("zones_apart_s", 0)))
        self._skus = list(dict(settings.get("skus") or {"MUG": 1000, "BAG": 2500, "PEN": 199}).items())
        self._currency = str(settings.get("currency", "EUR"))
        self._rate = float(settings.get("tickets_per_s", 0))
        self._max = int(settings.get("tickets_max", 0))
        self._close_after = int(float(settings.get("close_after_s", 0)) * SECOND)
        self._silent = {
            c: (int(a * SECOND), int(b * SECOND)) for c, (a, b) in settings.get("silent", {}).items()
        }
        self._off = frozenset(settings.get("cent_off", ()))
        self._start = int(settings.get("start", 0))
        self._at = 0
        self._owed = 0.0
        self._out: list[Event] = []
        self._counts = {"tickets": 0, "repeated": 0, "broken": 0, "uploads": 0, "closes": 0, "events": 0}
        self.sold: dict[str, int] = {}

    def handle(self, request: SimRequest, now: int) -> SimResponse:
        """Do what is asked of one store."""
        parts = request.path.split("/")
        if request.method == "POST" and parts[1:] == ["-", "open"]:
            self._waits = False
            self._begin(now)
            return json_response({"stores": len(self.stores)})
        store = self.stores.get(parts[1]) if len(parts) == 3 else None
        if request.method != "POST" or store is None:
            return problem(404, f"there is no {request.path} here")
        self._begin(now)
        if parts[2] == "sell":
            wanted = msgspec.json.decode(request.body or b"{}", type=dict[str, Any])
            lines = [self._line(str(wanted["sku"]), int(wanted.get("quantity", 1)))]
            self._send(store, self._ticket(store, lines, now))
        elif parts[2] == "close":
            self._close(store, now)
        elif parts[2] == "offline":
            store.online = False
        elif parts[2] == "online":
            self._reconnect(store)
        else:
            return problem(404, f"there is no {request.path} here")
        return json_response({"store": store.code, "total": store.total})

    def due_events(self, now: int) -> list[Event]:
        """Sell what is due by now, and hand over everything that is to be posted."""
        self._begin(now)
        if not self._at:
            return []
        while self._rate and not self._over() and self._at + TICK <= now:
            self._at += TICK
            self._walls(self._at - self._start)
            self._owed += self._rate * TICK / SECOND
            while self._owed >= 1 and not self._over():
                self._owed -= 1
                self._sell(self._at)
        if self._close_after and now >= self._start + self._close_after:
            for store in self.stores.values():
                if now >= self._start + self._close_after + self._offsets[store.zone.key]:
                    self._close(store, now)
        self._walls(now - self._start)
        out, self._out = self._out, []
        return out

    def next_due(self) -> int | None:
        """When something happens by itself."""
        if self._waits:
            return None
        if self._out or not self._at:
            return 0
        times = [self._at + TICK] if self._rate and not self._over() else []
        if self._close_after:
            offsets = {self._offsets[store.zone.key] for store in self.stores.values() if not store.closed}
            times += [self._start + self._close_after + offset for offset in offsets]
        times += [
            self._start + at
            for code, span in self._silent.items()
            for at in span
            if (self.stores[code].online and at == span[0] and self._at < self._start + at)
            or (not self.stores[code].online and at == span[1])
        ]
        return min(times, default=None)

    def state(self, *, documents: bool = True) -> dict[str, Any]:
        """Counts, and per store what was sold, brought back and stated: what a proof compares with the hub's."""
        counts: dict[str, Any] = {
            **self._counts,
            "waiting": sum(len(s.waiting) for s in self.stores.values()),
            "closed": sum(s.closed for s in self.stores.values()),
            "offline": [s.code for s in self.stores.values() if not s.online],
        }
        if documents:
            counts["sold"] = self.sold
            counts["stores"] = {
                s.code: {
                    "day": s.day,
                    "zone": s.zone.key,
                    "tickets": sum(till.tickets for till in s.tills),
                    "total": s.total,
                    "back": s.back,
                    "stated": s.stated,
                    "closed": s.closed,
                    "late": s.late,
                }
                for s in self.stores.values()
            }
        return counts

    def _store(self, code: str, zone: str) -> Store:
        tills = [Till(name=f"T{n + 1}") for n in range(self._tills)]
        return Store(code=code, zone=ZoneInfo(zone), tills=tills)

    def _sellers(self, settings: Mapping[str, Any]) -> list[str]:
        """Who sells by itself, as often as each does in one turn, well mixed."""
        quiet = frozenset(settings.get("quiet", ()))
        codes = [code for code in self.stores if code not in quiet]
        if settings.get("in_turn"):
            self._dice.shuffle(codes)
        for code, times in dict(settings.get("often", {})).items():
            codes.remove(code)
            step = max(1, len(codes) // int(times))
            for n in range(int(times)):
                codes.insert(n * (step + 1), code)
        return codes

    def _closing(self, apart_s: float) -> dict[str, int]:
        """How much later than the first each zone closes."""
        zones = dict.fromkeys(store.zone.key for store in self.stores.values())
        return {zone: int(n * apart_s * SECOND) for n, zone in enumerate(zones)}

    def _seller(self) -> Store:
        if not self._set("in_turn"):
            return self.stores[self._dice.choice(self._codes)]
        self._next += 1
        return self.stores[self._codes[(self._next - 1) % len(self._codes)]]

    def _begin(self, now: int) -> None:
        if not self._at and not self._waits:
            self._start = self._start or now
            self._at = self._start

    def _over(self) -> bool:
        if self._close_after and all(store.closed for store in self.stores.values()):
            return True
        return bool(self._max) and self._counts["tickets"] >= self._max

    def _walls(self, since: int) -> None:
        """Lines that break, and come back."""
        for code, (begin, end) in self._silent.items():
            store = self.stores[code]
            if begin <= since < end:
                store.online = False
            elif since >= end and not store.online:
                self._reconnect(store)

    def _sell(self, now: int) -> None:
        store = self._seller()
        if store.closed:
            return
        luck = self._dice.random()
        if luck < float(self._set("void_rate", 0.01)):
            self._send(store, self._ticket(store, [], now, kind="void"))
            return
        back = self._dice.random() < float(self._set("return_rate", 0.05))
        lines = [
            self._line(self._dice.choice(self._skus)[0], self._dice.choice((1, 1, 1, 2, 3)))
            for _ in range(self._dice.choice((1, 1, 2, 3)))
        ]
        if back:
            lines[0] = self._line(lines[0]["sku"], -1)
        else:
            lines = self._habits.fill(lines)
        if moved := self._habits.cash_moved():
            self._send(store, self._move_cash(store, *moved, now))
        ticket = self._ticket(store, lines, now)
        self._send(store, ticket)
        if store.online and self._dice.random() < float(self._set("repeat_rate", 0)):
            self._counts["repeated"] += 1
            self._post("ticket", f"{_key(ticket)}-again", ticket)
        if self._dice.random() < float(self._set("broken_rate", 0)):
            self._counts["broken"] += 1
            self._post("ticket", f"broken-{self._counts['broken']}", {"store": store.code, "till": "T0"})

    def _line(self, sku: str, quantity: int) -> dict[str, Any]:
        price = next((price for name, price in self._skus if name == sku), 1000)
        gross = price * quantity
        tax = abs(gross) * 19 // 119 * (1 if quantity > 0 else -1)
        taxes = [{"rate": "0.19", "name": "VAT", "amount": tax}]
        return {
            "sku": sku,
            "quantity": quantity,
            "gross": gross,
            "tax": tax,
            "taxes": taxes,
            "category": "goods",
        }

    def _ticket(self, store: Store, lines: list[dict[str, Any]], now: int, kind: str = "") -> dict[str, Any]:
        """A ticket as its till writes it, and what it counts of it."""
        till = self._dice.choice(store.tills)
        till.sequence += 1
        till.tickets += 1
        till.first = till.first or till.sequence
        local = datetime.fromtimestamp(now / SECOND, UTC).astimezone(store.zone)
        store.day = store.day or local.date().isoformat()
        total = sum(line["gross"] for line in lines)
        tender = self._dice.choice(("cash", "card", "card"))
        one = Paid([{"kind": tender, "amount": total}] if total else [])
        paid = self._habits.pay(total, tender) if total > 0 else one
        total += paid.tip + paid.rounding
        for part in paid.tenders:
            till.tenders[part["kind"]] = till.tenders.get(part["kind"], 0) + part["amount"]
        for line in lines:
            if sku := line.get("sku"):
                self.sold[sku] = self.sold.get(sku, 0) + line["quantity"]
            if line["quantity"] < 0:
                store.back += line["gross"]
        store.total += total
        self._counts["tickets"] += 1
        back = [line for line in lines if line["quantity"] < 0]
        found = "return" if len(back) == len(lines) else "mixed" if back else "sale"
        return {
            "store": store.code,
            "till": till.name,
            "sequence": till.sequence,
            "at": local.isoformat(timespec="milliseconds"),
            "business_date": store.day,
            "kind": kind or found,
            "currency": self._currency,
            "lines": lines,
            "tenders": paid.tenders,
            "total": total,
            **{name: n for name, n in (("tip", paid.tip), ("rounding", paid.rounding)) if n},
        }

    def _move_cash(self, store: Store, kind: str, amount: int, now: int) -> dict[str, Any]:
        """A ticket of money that is paid in or out: it has a number like every other."""
        if kind == "paid_in":
            store.paid_in += amount
        else:
            store.paid_out += amount
        return self._ticket(store, [], now, kind=kind) | {"amount": amount, "reason": "change"}

    def _send(self, store: Store, ticket: dict[str, Any]) -> None:
        if store.online:
            self._post("ticket", _key(ticket), ticket)
            return
        store.waiting.append(ticket)
        store.waiting_total += ticket["total"]

    def _reconnect(self, store: Store) -> None:
        """Back on line: everything that waited goes in one upload, with its control totals."""
        store.online = True
        if not store.waiting:
            return
        store.uploads += 1
        store.late += len(store.waiting)
        self._counts["uploads"] += 1
        name = f"{store.code}-U{store.uploads}"
        control = {"tickets": len(store.waiting), "total": store.waiting_total}
        body = {"upload": name, "store": store.code, "control": control, "tickets": store.waiting}
        self._post("tickets", name, body)
        store.waiting, store.waiting_total = [], 0

    def _close(self, store: Store, now: int) -> None:
        """Close the day with the Z report of each till; one that is silent closes all the same, when it is back."""
        if store.closed or not store.online:
            return
        store.closed = True
        self._counts["closes"] += 1
        off = 1 if store.code in self._off else 0
        tills: list[dict[str, Any]] = []
        for till in store.tills:
            tenders: list[dict[str, Any]] = [
                {"kind": kind, "expected": amount, **self._habits.counted(kind, amount)}
                for kind, amount in sorted(till.tenders.items())
            ]
            if tenders and off:
                tenders[0]["expected"] += off
                off = 0
            store.stated += sum(tender["expected"] for tender in tenders)
            used = {"first": till.first, "last": till.sequence} if till.tickets else {}
            tills.append({"till": till.name, "tickets": till.tickets, "tenders": tenders, **used})
        local = datetime.fromtimestamp(now / SECOND, UTC).astimezone(store.zone)
        store.day = store.day or local.date().isoformat()
        body: dict[str, Any] = {
            "store": store.code,
            "business_date": store.day,
            "at": local.isoformat(),
            "tills": tills,
        }
        moved = {"paid_in": store.paid_in, "paid_out": store.paid_out}
        body |= {"currency": self._currency, **{name: n for name, n in moved.items() if n}}
        self._post("day.closed", f"{store.code}-{store.day}-Z", body)

    def _post(self, kind: str, delivery: str, body: Any) -> None:
        self._counts["events"] += 1
        self._out.append(signed(self._secret, kind, delivery, _encode(body)))


def _key(ticket: Mapping[str, Any]) -> str:
    return f"{ticket['store']}-{ticket['till']}-{ticket['sequence']}"


def _stores(wanted: Any) -> list[tuple[str, str]]:
    """Codes and zones: as given, or so many, spread over four zones."""
    if isinstance(wanted, int):
        return [(str(n + 1), ZONES[n % len(ZONES)]) for n in range(wanted)]
    return [(str(code), str(zone)) for code, zone in dict(wanted).items()]
