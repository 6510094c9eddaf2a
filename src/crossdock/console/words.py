"""What codes mean, in the words of someone who is tired and has to decide."""

from __future__ import annotations

from crossdock.model.currency import EXPONENTS

STAGES = {
    "unknown": "not understood yet",
    "test": "test order, kept and not posted",
    "copy": "copy of an order of another channel, kept and not sent",
    "tentative": "not committed by the channel yet",
    "held": "held until a person releases it",
    "waiting_stock": "waits for stock",
    "waiting_erp": "waits for the ERP",
    "waiting_release": "waits for its release",
    "releasing": "on its way to the warehouse",
    "at_warehouse": "at the warehouse",
    "cancelling": "being cancelled",
    "shipping": "being shipped",
    "closing": "the last partners are being told",
    "observed": "only observed",
    "done": "done",
    "cancelled": "cancelled",
    "day_open": "store day, open",
    "day_closed": "store day, closed and not all of it posted",
    "day_posted": "store day, posted",
}

OPERATIONS = {
    "create_sale": "create the sale",
    "amend_sale": "amend the sale",
    "cancel_sale": "take quantities off the sale",
    "adopt_sale": "find the sale that is there already",
    "create_delivery": "post the delivery",
    "create_invoice": "invoice",
    "release": "pick, pack and ship",
    "cancel_release": "stop a release",
    "acknowledge": "acknowledge the order",
    "confirm_shipment": "confirm the shipment",
    "cancel_order": "tell the channel what will not come",
    "set_quantities": "publish the quantity",
    "poll": "read what is new",
    "post_day": "book the store's day",
    "create_credit": "credit what was brought back",
    "credit_refund": "credit a refund",
    "receive_return": "receive what came back",
    "tell": "tell what happened",
}

EVENTS = {
    "order.accepted": "order taken",
    "order.updated": "order changed",
    "order.stale_ignored": "an older version came late and was ignored",
    "order.copy_linked": "another channel holds a copy of this order; only this one is sent",
    "order.copy_kept": "a copy of an order that was sold elsewhere: nothing is sent of it",
    "order.test_ignored": "a test order: nothing is sent unless post_test_orders is set in [policies]",
    "order.reported_early": "a report came before its order and was kept for it",
    "order.price_differs": "a price differs from ours",
    "order.hold_released": "hold released",
    "order.handed_over": "handed over at the counter",
    "order.address_changed": "delivery address changed",
    "order.overdue": "overdue",
    "order.acknowledge_late": "the channel wants our word soon",
    "stock.reserved": "stock reserved",
    "stock.short": "stock does not suffice",
    "stock.short_cancelled": "stock does not suffice: the channel is asked to cancel",
    "request.released": "fulfilment requested",
    "request.short": "the location fell short",
    "request.stopped": "fulfilment stopped",
    "request.refused": "the location refused",
    "shipment.recorded": "shipment recorded",
    "shipment.announced": "shipment announced",
    "shipment.delivered": "shipment delivered",
    "shipment.updated": "shipment changed",
    "shipment.corrected": "shipment corrected",
    "shipment.echo_ignored": "our own shipment came back, and was ignored",
    "cancellation.requested": "cancellation requested",
    "cancellation.asked": "the warehouse is asked to stop",
    "cancellation.answered": "the warehouse answered the cancellation",
    "cancellation.unanswered": "the warehouse has not answered the cancellation",
    "cancellation.told": "the cancellation was passed on",
    "refund.recorded": "refund recorded",
    "return.recorded": "return recorded",
    "payment.reported": "payment reported",
    "reservation.expired": "reservation expired",
    "sale.total_differs": "the ERP's total differs",
    "person.erasure_requested": "a person wants to be forgotten",
    "person.erasure_waits": "its person is to be forgotten as soon as that can be",
    "person.erased": "its persons are forgotten",
    "person.data_requested": "a person asks what is held of them",
    "channel.erasure_requested": "a channel wants its persons forgotten",
    "case.resolved": "case resolved",
    "operator.unhandled": "noted",
    "page.split": "page cut into its messages",
    "events.replayed": "told to a subscriber again",
    "ticket.recorded": "ticket taken",
    "ticket.duplicate_ignored": "the same ticket again, known already",
    "upload.recorded": "upload taken apart",
    "store_day.opened": "store day opened",
    "store_day.told_open": "told of the store day again",
    "store_day.closed": "closed, with its Z report",
    "store_day.counted": "counted against the Z report",
    "store_day.posting": "sent to the ERP in sum",
    "store_day.dated": "posted to its date",
    "store_day.not_closed": "not closed in time",
    "store_day.watched": "the store is heard",
    "store_day.timer_over": "a reminder that is not needed any more",
    "store.silent": "the store is silent",
    "store.heard": "the store is heard again",
    "posting.made": "the ERP has made its document",
}

TIMERS = {
    "order.source": "stock is looked for again",
    "order.release": "the order is released",
    "order.balance": "what is left of it is done",
    "order.copy_awaited": "a person is told if the order that a copy is of has still not come",
    "order.awaited": "a person is told if the order has still not come",
    "order.overdue": "whoever must know is told if it is not done",
    "order.acknowledge": "a person is told if the channel does not have our word yet",
    "reservation.expire": "the reservation expires, unless the order is committed",
    "cancellation.deadline": "a person is told if the warehouse has not answered",
    "store_day.count": "the day is counted",
    "store_day.watch": "a person is told if the store is silent",
    "store_day.late": "a person is told if the day is not closed",
}
"""What the hub does by itself when a time has come."""

QUIET_EVENTS = frozenset(
    {
        "effect.done",
        "effect.refused",
        "effect.in_doubt",
        "effect.exhausted",
        "message.unhandled",
        "order.finished_in_time",
        "order.acknowledged_in_time",
        "cancellation.answer_in_time",
        "reservation.expiry_ignored",
    }
)
"""Events that say nothing which another step does not say better."""

ACTIONS = {
    "release_hold": "release the hold",
    "cancel_order": "cancel what has not left",
    "retry": "try again",
    "edit": "correct and try again",
    "resolve_case": "resolve",
    "done": "say that it did happen",
    "erase": "erase the persons",
}
"""What operators ask for."""

OUTCOMES = {
    "processed": "handled",
    "duplicate": "known already",
    "stale": "older than what is held",
    "unhandled": "kept; no flow takes this kind",
    "superseded": "overtaken by a newer version",
    "resolved": "dropped by a person",
    "split": "cut into its messages",
}

EFFECT_STATES = {
    0: "about to be sent",
    1: "will be tried again",
    2: "waits behind an earlier call",
    3: "being sent",
    4: "stopped, waits for a person",
    5: "in doubt: sent, outcome unknown",
    6: "held back by an open case",
}
EFFECT_CODES = ("ready", "retrying", "behind", "sending", "parked", "in_doubt", "held")
"""The same states as codes, by their number in the store."""

REASONS = {
    "mapping": "cannot be understood",
    "conflict": "contradicts what is held",
    "rejected": "refused by our own rules",
    "internal": "a defect of the hub",
    "crash": "kills the worker",
    "configuration": "the configuration lacks something",
    "credentials": "credentials refused",
    "gone": "subscription ended",
    "late": "calls to a partner are late",
    "invariant": "the proof does not hold",
    "refused": "a value was refused",
    "effect.refused": "a partner refused",
    "effect.in_doubt": "sent, outcome unknown",
    "effect.exhausted": "a partner did not take it in all attempts",
    "stock.short": "stock does not suffice",
    "stock.negative": "stock below zero",
    "stock.unknown": "stock never told",
    "credit.by_hand": "a return to credit by hand",
    "return.beyond_sale": "more taken back than sold",
    "return.unknown_sale": "a return of a ticket that never came",
    "stock.scale": "told more exactly than counted",
    "order.held": "held",
    "order.overdue": "overdue",
    "order.acknowledge_late": "the channel wants our word soon",
    "sale.total_differs": "the ERP's total differs",
    "sale.doubled": "an ERP holds the order twice",
    "posting.total_differs": "the ERP's total differs",
    "invoice.total_differs": "the ERP's invoices differ",
    "upload.control_totals": "an upload is not what it states",
    "store_day.difference": "tickets differ from the Z report",
    "store_day.gap": "tickets are missing",
    "store_day.currencies": "a day in two currencies",
    "store_day.not_closed": "store day not closed",
    "store_day.across_start": "a day across the start",
    "store_day.given_up": "a posting was given up",
    "store_day.tax_rate": "a tax without a known rate",
    "store_day.over_short": "over or short, and not booked",
    "store.silent": "store silent",
    "cancellation.too_late": "cancelled too late",
    "cancellation.refused": "cancellation refused",
    "cancellation.unanswered": "cancellation unanswered",
    "order.cancelled_and_shipped": "shipped though cancelled",
    "refund.beyond_captured": "more refunded than paid",
    "refund.credit_by_hand": "a refund to credit by hand",
    "refund.credit_differs": "a refund is not what was credited",
    "return.received_less": "less came back than the ERP was told",
    "erasure.asked": "a person wants to be forgotten, no order is named",
    "erasure.unknown": "to be forgotten, and not held",
    "erasure.channel": "a channel wants its persons forgotten",
    "person.data_requested": "a person asks what is held",
    "retryable": "does not succeed",
}


def plain(code: str) -> str:
    """A code as words: the last resort, for codes that have none of their own."""
    return code.replace("_", " ").replace(".", ": ")


def stage(code: str) -> str:
    """What an order is at."""
    return STAGES.get(code, plain(code))


def operation(name: str) -> str:
    """What a partner is asked for."""
    return OPERATIONS.get(name, plain(name))


def event(type_: str) -> str:
    """What happened."""
    return EVENTS.get(type_, plain(type_))


def action(code: str) -> str:
    """What an operator asked for."""
    return ACTIONS.get(code, plain(code))


def outcome(code: str) -> str:
    """What became of a message."""
    return OUTCOMES.get(code, plain(code))


def timer(kind: str) -> str:
    """What happens when a time has come."""
    return TIMERS.get(kind, plain(kind))


def reason(code: str) -> str:
    """Why there is a case."""
    return REASONS.get(code, plain(code))


def duration(microseconds: int) -> str:
    """A time span in one short unit: "340 ms", "12 s", "4 min", "3 h", "2 days"."""
    seconds = microseconds / 1_000_000
    for limit, divisor, unit in ((1, 0.001, "ms"), (120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def amount(minor: int, currency: str) -> str:
    """Money as people write it: 1234 EUR minor units are "12.34 EUR"."""
    if not currency:
        return "\u2013"
    exponent = EXPONENTS.get(currency, 2)
    digits = f"{abs(minor):0{exponent + 1}d}"
    whole, rest = (digits[:-exponent], digits[-exponent:]) if exponent else (digits, "")
    grouped = f"{int(whole):,}".replace(",", "\u202f")
    return f"{'-' if minor < 0 else ''}{grouped}{'.' + rest if rest else ''} {currency}"
