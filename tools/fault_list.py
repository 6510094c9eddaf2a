"""The faults that a hub has to survive: number, what happens, what a retailer may rely on, and what is not there yet."""

from typing import NamedTuple


class Fault(NamedTuple):
    """One row. missing: what no test makes happen yet, and why; "" where nothing is missing."""

    number: int
    fault: str
    outcome: str
    missing: str = ""


FILES = "not yet, because no connector takes files"
SETTLEMENTS = "not yet, because no flow takes settlements"

GROUPS: dict[str, tuple[Fault, ...]] = {
    "Crash and storage": (
        Fault(
            1,
            "Killed after an arrival is committed, before its 2xx",
            "the sender's retry is a duplicate: one order",
        ),
        Fault(2, "Killed before an arrival is committed", "no 2xx; the sender's retry is taken"),
        Fault(
            3,
            "Killed between the ERP's POST and our commit",
            "it is looked up by our reference, or repeated under its key: one document",
        ),
        Fault(
            4,
            "The same, and the ERP has neither key nor look-up",
            "in doubt: a person decides, and it is never posted again by itself",
        ),
        Fault(5, "The reply to a COMMIT is lost", "the row is read again; nothing doubles"),
        Fault(
            6,
            "PostgreSQL is stopped at once in the middle of a batch",
            "nothing that was accepted is lost; at work again within 30 s",
        ),
        Fault(
            7,
            "Settings of the store that could lose a commit",
            "refused at the start, with the setting's name",
        ),
        Fault(
            8,
            "The disk is full",
            "503, nothing is half accepted, and work goes on by itself once there is room",
        ),
        Fault(
            9,
            "All connections to the store are taken, or a query hangs",
            "callers are turned away in time; nothing waits for ever",
        ),
        Fault(
            10,
            "A connection dies: to a partner, to the database, to a broker",
            "every process lives on and connects anew",
        ),
        Fault(
            11,
            "A worker is frozen and wakes after its lease",
            "it writes nothing and sends nothing: the work is asked about and done once",
        ),
        Fault(
            12,
            "An effect takes long and its worker is alive",
            "nobody else takes it over",
        ),
        Fault(
            13,
            "A lower outbox number is committed later than a higher one",
            "it is delivered all the same",
        ),
        Fault(
            14,
            "A transaction is left open for an hour",
            "claims stay quick, and an alert names it",
        ),
        Fault(15, "Old and new release at work during a migration", "nothing is lost"),
        Fault(
            16,
            "A message that kills the interpreter",
            "alone in quarantine after two attempts, counted before they begin; all others go on",
        ),
    ),
    "Partners": (
        Fault(17, "A partner acts and its reply comes too late or never", "as 3: one document"),
        Fault(18, "429 with Retry-After", "it is obeyed; other connections are not slowed"),
        Fault(
            19,
            "A partner is gone, for seconds or for days",
            "its breaker opens, one probe goes at a time, and the backlog drains in order, at its pace",
        ),
        Fault(20, "It comes back", "retries are spread by full jitter; its limit is never exceeded"),
        Fault(21, "A reply of one byte at a time", "a total deadline ends it"),
        Fault(22, "A reply that is cut off", "never success"),
        Fault(23, "A 200 with an error or HTML inside", "a contract error, never success"),
        Fault(
            24,
            "A partner without TLS, or with a certificate that nobody vouches for",
            "refused, nothing is sent",
        ),
        Fault(
            25,
            "Many callers refresh one token",
            "one refresh",
            "not yet, because no connector here has a token that is refreshed",
        ),
        Fault(26, "Credentials are revoked", "the connection pauses under one case; no attempt is burnt"),
        Fault(
            27, "Pages shift while they are read", "pages overlap and are deduplicated; nothing is skipped"
        ),
        Fault(
            28,
            "Webhooks are lost, or the subscription is deleted",
            "polling brings what they would have brought, once",
            "a subscription that is deleted, and the watchdog that subscribes again: not yet, because no connector "
            "subscribes by itself",
        ),
        Fault(
            29,
            "The deadline of an acknowledgement nears",
            "a case warns before it passes, and goods still leave",
        ),
        Fault(30, "One of three destinations fails", "the order is not called done"),
    ),
    "Order and time": (
        Fault(31, "An update comes before its create; any permutation", "the same end"),
        Fault(32, "Cancelled after it was shipped", "a conflict case; nothing is overwritten"),
        Fault(33, "A thousand copies at once", "one message, one effect"),
        Fault(34, "The same id with another body", "a conflict that a person sees; nothing is overwritten"),
        Fault(35, "The clock jumps, either way", "timers hold, and no pace is exceeded"),
        Fault(
            36,
            "Daylight saving, midnight, the month's end",
            "a business date in the store's own zone",
        ),
        Fault(37, "A partner forgot its idempotency keys", "it is asked first, after a first try"),
        Fault(38, "An old version of an order comes late", "it un-ships and un-cancels nothing"),
    ),
    "Stock and money": (
        Fault(39, "Two channels sell the last unit", "one wins; the other becomes a case"),
        Fault(40, "A till that was offline for hours uploads late", "applied once, drift shown"),
        Fault(41, "An old count of stock comes after newer ones", "the newer one stands"),
        Fault(42, "Yen, dinar and prices that include tax", "minor units, and the same residue each time"),
        Fault(
            43,
            "Two refunds at once, or too much",
            "what others did is recorded and becomes a case",
            "refunds that we decide: not yet, because the hub makes none",
        ),
        Fault(
            44,
            "A return in part, with an exchange",
            "quantities are conserved",
        ),
        Fault(45, "A settlement names an unknown fee or order", "suspense; the rest goes on", SETTLEMENTS),
        Fault(46, "A settlement is sent twice, or revised", "versioned, not posted twice", SETTLEMENTS),
    ),
    "Hostile input and hands": (
        Fault(
            47,
            "NaN, duplicate keys, deep nesting, huge integers, NUL, lone surrogates",
            "4xx, or parked where a person sees it; never a 5xx",
        ),
        Fault(
            48,
            "Bodies that are too large, or that would be once inflated",
            "413; what is compressed is refused unread",
        ),
        Fault(
            49,
            "XML with a DTD or entities",
            "never parsed: kept as what cannot be read, and parked",
            "in files: not yet, because no connector takes files",
        ),
        Fault(50, "A partner's file half written, replaced, renamed", "all or nothing", FILES),
        Fault(
            51,
            "CSV with formulas, a byte order mark, odd encodings",
            "rows quarantined, exports harmless",
            FILES,
        ),
        Fault(
            52,
            "Path traversal, archives and links that lead outside",
            "refused",
            "archives and links: not yet, because no connector takes files",
        ),
        Fault(53, "A signature that is not ASCII, or any other wrong one", "401, and nothing is kept"),
        Fault(
            54,
            "A field vanishes, returns as another type, or has an unknown value",
            "it parks under the name of the field, or is passed over where nothing depends on it",
        ),
        Fault(55, "A buyer named <script>; an id of nobody or of someone else", "escaped; 404"),
        Fault(56, "A bulk replay at the peak, clicked twice", "live traffic barely slower; it runs once"),
    ),
}

FAULTS = [fault for faults in GROUPS.values() for fault in faults]
