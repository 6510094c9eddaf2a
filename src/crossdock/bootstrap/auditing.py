"""The audit: every order's own rows laid side by side, page by page, so that it can pause anywhere and a store of a million orders is
read without holding anybody up.

Each page is read at one moment. What concerns all orders at once (`bootstrap.proof`) is asked when the last page is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from crossdock.domain.comparing import BookedSale
from crossdock.domain.ledger import ALLOCATED, RESERVED, Move
from crossdock.domain.totals import check_totals
from crossdock.engine.messages import subject_id
from crossdock.flows.documents import join_document
from crossdock.model.versions import is_newer
from crossdock.stores.reads import Reads

PAGE = 25
"""Subjects read at one moment: some ten milliseconds."""
FOUND_MAX = 100
"""Breaches of one rule that are remembered one by one."""
BUCKETS = {RESERVED: "reserved", ALLOCATED: "allocated"}
BEYOND = {
    "shipped": ("shipment.beyond_order", "order.cancelled_and_shipped"),
    "returned": ("return.beyond_shipped",),
}

ON_RECORD = "what came in is on record"
ONCE = "one document per effect key"
TOTALS = "parts add up to the total"
POSTINGS = "debits = credits"
CLAIMS = "reservations are owned or expired"
QUANTITIES = "returned <= shipped <= ordered"
REFUNDS = "refunded <= captured"
VERSIONS = "versions never go back"
REPLAYS = "a replay names its reason"
RULES = {
    ON_RECORD: ("a", "deliveries have their message"),
    ONCE: ("c", "effects have one document at most"),
    TOTALS: ("d", "committed documents add up to their totals"),
    POSTINGS: ("e", "postings balance"),
    CLAIMS: ("f", "orders own what is reserved and allocated for them"),
    QUANTITIES: ("g", "orders were not shipped or returned beyond what they had, without a case"),
    REFUNDS: ("g", "orders were not refunded beyond what was captured, without a case"),
    VERSIONS: ("h", "orders never went back to an earlier version"),
    REPLAYS: ("j", "replays name their actor and reason"),
}
"""Rule by rule: its letter, and what is so many times true where it holds."""


class _Line(msgspec.Struct):
    id: str
    ordered: int = 0
    shipped: int = 0
    returned: int = 0


class _Piece(msgspec.Struct):
    sku: str = ""
    moves: bool = True
    claims: dict[str, int] = {}


class _Item(msgspec.Struct):
    sku: str
    quantity: int
    moves: bool = True
    shipped: int = 0
    short: int = 0
    stopped: int = 0


class _Request(msgspec.Struct):
    location: str
    items: list[_Item] = []


class _Refund(msgspec.Struct):
    done: bool = False
    total: int = 0


class _Order(msgspec.Struct):
    version: str = ""
    commitment: str = ""
    expired: bool = False
    document: int = 0
    captured: int = 0
    total: int = 0
    lines: list[_Line] = []
    pieces: list[_Piece] = []
    requests: list[_Request] = []
    refunds: list[_Refund] = []
    owed: list[Move] = []
    booked: list[BookedSale] = []


class Finding(msgspec.Struct, frozen=True, array_like=True):
    """One breach: of which rule, by which subject, in words."""

    rule: str
    subject: int
    text: str


class Audit(msgspec.Struct, kw_only=True):
    """How far an audit has come, and what it has found; it can be kept and taken up again.

    after: the subject up to which all are read; until: the last one there was when it began. handled: messages on record, by
    source. before: the same by the counters when it began.
    """

    began_at: int = 0
    after: int = 0
    until: int = 0
    counts: dict[str, int] = {}
    found: list[Finding] = []
    handled: dict[str, int] = {}
    before: dict[str, int] = {}

    @property
    def done(self) -> bool:
        """Whether everything that was there when it began is read."""
        return self.after >= self.until

    def of(self, rule: str) -> list[Finding]:
        """The breaches of one rule, by subject."""
        return sorted((found for found in self.found if found.rule == rule), key=lambda found: found.subject)

    def add(self, page: Audit) -> None:
        """Take in what a page told."""
        for name, count in page.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        for source, count in page.handled.items():
            self.handled[source] = self.handled.get(source, 0) + count
        for rule in dict.fromkeys(found.rule for found in page.found):
            new = [found for found in page.of(rule) if found not in self.found]
            self.found += new[: max(0, FOUND_MAX - len(self.of(rule)))]
        self.after = page.until

    def again(self, reads: Reads) -> None:
        """Look again at what was found wanting: what was mended since is forgotten."""
        subjects = dict.fromkeys(found.subject for found in self.found)
        self.found = [found for subject in subjects for found in read_page(reads, subject - 1, subject).found]


def begin(reads: Reads, now: int, *, after: int = 0) -> Audit:
    """An audit of everything after a subject."""
    before = dict(
        reads.rows("handled_messages")
    )  # first: whatever they count is of a subject that is there by now
    return Audit(began_at=now, after=after, until=int(reads.rows("last_subject")[0][0]), before=before)


def go_on(reads: Reads, audit: Audit, more: Callable[[], bool] = lambda: True) -> None:
    """Read page after page, for as long as there is one and `more` says so."""
    while not audit.done and more():
        audit.add(read_page(reads, audit.after, min(audit.after + PAGE, audit.until)))


def read_page(reads: Reads, after: int, until: int) -> Audit:
    """What is to be said of the subjects after one up to another, at one moment."""
    page = Audit(after=after, until=until, counts=dict.fromkeys(RULES, 0))
    with reads.snapshot():
        _messages(reads, page)
        _documents(reads, page)
        _postings(reads, page)
        _orders(reads, page)
    return page


def _note(page: Audit, rule: str, subject: int, text: str) -> None:
    page.found.append(Finding(rule, subject, text))


def _messages(reads: Reads, page: Audit) -> None:
    """a and j: what was taken in, or decided on, is on record; a replay names its actor and reason."""
    for source, count, replays, nameless, first in reads.rows("audit_messages", page.after, page.until):
        page.handled[source] = count
        page.counts[REPLAYS] += replays
        if nameless:
            _note(page, REPLAYS, first, f"{nameless} replays of {source} name nobody")
    for name, what in (("audit_deliveries", "deliveries"), ("audit_decisions", "decisions")):
        count, gone, first = reads.rows(name, page.after, page.until)[0]
        page.counts[ON_RECORD] += count if what == "deliveries" else 0
        if gone:
            _note(page, ON_RECORD, first, f"{gone} {what} have lost their message")


def _documents(reads: Reads, page: Audit) -> None:
    """d and h: each version adds up, and none is older than the one before it."""
    last, version = 0, ""
    for number, value in reads.rows("audit_documents", page.after, page.until):
        subject = number // 1024
        order = join_document(value.encode(), b"")
        before, version = version if subject == last else "", order.version
        last = subject
        if is_newer(before, version):
            _note(page, VERSIONS, subject, f"version {version} of its document follows {before}")
        if order.commitment == "committed":
            page.counts[TOTALS] += 1
            if wrong := check_totals(order):
                _note(page, TOTALS, subject, str(wrong[0]))


def _postings(reads: Reads, page: Audit) -> None:
    """e: entries of one currency add up to zero."""
    for subject, currency, entries in reads.rows("audit_postings", page.after, page.until):
        page.counts[POSTINGS] += 1
        difference = sum(amount for _, amount in _entries(entries))
        if difference:
            _note(page, POSTINGS, subject, f"a posting is {difference} off in {currency or 'no currency'}")


def _orders(reads: Reads, page: Audit) -> None:
    """c, f, g and h: what each order says of itself, against its own movements, cases, documents and effects."""
    span = page.after, page.until
    moved: dict[int, dict[tuple[str, str, str], int]] = {}
    for subject, sku, location, bucket, quantity in reads.rows("audit_claims", *span):
        moved.setdefault(subject, {})[sku, location, bucket] = quantity
    cases = {(subject, reason, about) for subject, reason, about in reads.rows("audit_cases", *span)}
    effects, twice, first = reads.rows("audit_effects", *span)[0]
    page.counts[ONCE] += effects
    if twice:
        _note(page, ONCE, first, f"{twice} documents belong to two effects")
    for subject, version, value, document, batches in reads.rows("audit_orders", *span):
        order = _order(value)
        for rule, found in (
            (CLAIMS, _claims(order, moved.pop(subject, {}))),
            (QUANTITIES, _quantities(order, subject, cases)),
            (REFUNDS, _refunds(order, subject, cases)),
            (VERSIONS, _versions(order, version, document, batches)),
            (ONCE, _sales(order)),
        ):
            page.counts[rule] += rule != ONCE
            for text in found:
                _note(page, rule, subject, text)
    for subject, claims in moved.items():
        sku, location, bucket = next(iter(claims))
        _note(page, CLAIMS, subject, f"{sku} at {location} is {bucket} for what is no order")


def _claims(order: _Order, moved: dict[tuple[str, str, str], int]) -> Iterator[str]:
    """What an order reserves and has allocated is what was moved for it; an expired one keeps nothing."""
    owned: dict[tuple[str, str, str], int] = {}
    for piece in order.pieces:
        for place, quantity in piece.claims.items() if piece.moves else ():
            key = (piece.sku, place, "reserved")
            owned[key] = owned.get(key, 0) + quantity
            if quantity and order.expired and order.commitment == "tentative":
                yield f"{quantity} of {piece.sku} at {place} are reserved, though the reservation has expired"
    for request in order.requests:
        for item in request.items:
            key = (item.sku, request.location, "allocated")
            out = item.quantity - item.shipped - item.short - item.stopped
            owned[key] = owned.get(key, 0) + (out if item.moves else 0)
    for sku, place, owing, quantity, _ in order.owed:
        if owing in BUCKETS:
            key = (sku, place, BUCKETS[owing])
            moved[key] = moved.get(key, 0) + quantity
    for key in dict.fromkeys([*owned, *moved]):
        if owned.get(key, 0) != moved.get(key, 0):
            sku, place, bucket = key
            yield f"{moved.get(key, 0)} of {sku} at {place} are {bucket}, of which it owns {owned.get(key, 0)}"


def _quantities(order: _Order, subject: int, cases: set[tuple[int, str, str]]) -> Iterator[str]:
    """A line beyond what it had stands in a case of its own: one about something else does not excuse it."""
    for line in order.lines:
        for what, beyond, limit in (
            ("shipped", line.shipped, max(line.ordered, 0)),
            ("returned", line.returned, line.shipped),
        ):
            if beyond > limit and not any((subject, reason, line.id) in cases for reason in BEYOND[what]):
                yield f"{beyond} of line {line.id} were {what}, of {limit}, and no case says so"


def _refunds(order: _Order, subject: int, cases: set[tuple[int, str, str]]) -> Iterator[str]:
    refunded = sum(refund.total for refund in order.refunds if refund.done)
    limit = max(order.captured or order.total, 0)  # a ticket that only took back has paid out
    if refunded > limit and (subject, "refund.beyond_captured", "") not in cases:
        yield f"{refunded} were refunded of {limit}, and no case says so"


def _versions(order: _Order, version: int, document: int, batches: int) -> Iterator[str]:
    """Each batch that decides about an order makes one version of it more, and each version of its document is kept."""
    if order.document != document:
        yield f"it stands at version {order.document} of its document, and version {document} is the last"
    if version < batches:
        yield f"it stands at version {version} after {batches} decisions"


def _sales(order: _Order) -> Iterator[str]:
    """An ERP tells of the sales that it holds: two that stand are two documents of one key."""
    standing: dict[str, list[str]] = {}
    for sale in order.booked:
        if sale.alone:
            standing.setdefault(sale.connection, []).append(sale.document)
    for erp, documents in standing.items():
        if len(documents) > 1:
            yield f"{erp} holds {len(documents)} sales of it: {', '.join(documents[:3])}"


def named(finding: Finding) -> str:
    """A finding with the order that it is about."""
    return f"{subject_id(finding.subject)}: {finding.text}"


_order = msgspec.json.Decoder(_Order).decode
_entries = msgspec.json.Decoder(list[tuple[str, int]]).decode
