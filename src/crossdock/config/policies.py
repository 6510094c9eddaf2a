"""`[policies]` and `[limits]`: what is decided beforehand, and how much of anything is borne."""

from __future__ import annotations

from crossdock.config.model import LimitsConfig
from crossdock.config.sections import Section, days, defaults_of, field_of, seconds_of
from crossdock.domain.policy import Policy
from crossdock.engine.recovery import RetryPolicy

_POLICY = defaults_of(Policy)
_RETRY = defaults_of(RetryPolicy)
_LIMITS = defaults_of(LimitsConfig)

POLICIES = Section(
    name="policies",
    doc="What is decided beforehand. Money is in minor units of the order's currency (cents), times in seconds.",
    fields=(
        field_of(
            _POLICY,
            "unknown_sku",
            "A SKU of which the hub holds neither product nor stock: `park` the order for a person, or `accept` it.",
            "text",
            choices=("park", "accept"),
        ),
        field_of(
            _POLICY,
            "out_of_stock",
            "What cannot be reserved: wait for stock under a case, or ask the channel to cancel it.",
            "text",
            choices=("backorder", "cancel"),
        ),
        field_of(
            _POLICY, "price_tolerance", "How far a price may be off ours without a word.", "money", low=0
        ),
        field_of(
            _POLICY,
            "erp_total_tolerance",
            "How far the ERP's total may be off the order's: within, it is rounding; above, a case.",
            "money",
            low=0,
        ),
        seconds_of(
            _POLICY, "grace_s", "Between commitment and release: the buyer may still change their mind."
        ),
        seconds_of(_POLICY, "reservation_s", "How long a tentative order keeps its reservation.", low=1),
        field_of(
            _POLICY, "hold_tags", "Orders with one of these tags wait until a person releases them.", "names"
        ),
        field_of(
            _POLICY, "erp_gates_release", "Release only after the ERP has the sale (B2B credit).", "flag"
        ),
        field_of(_POLICY, "post_test_orders", "Treat test orders like real ones. For trials only.", "flag"),
        seconds_of(
            _POLICY, "fulfilment_deadline_s", "After this an order that is not shipped becomes a case.", low=1
        ),
        seconds_of(
            _POLICY,
            "late_s",
            "A call that waits so long for its partner becomes a case of that partner.",
            low=1,
        ),
        seconds_of(
            _POLICY, "source_retry_s", "How often stock is looked for again for an order that waits.", low=1
        ),
        seconds_of(_POLICY, "answer_s", "How long a warehouse may take to answer a cancellation.", low=1),
        field_of(
            _POLICY,
            "day_ends_hour",
            "Hour of the next calendar day, in the store's zone, until which a till's ticket belongs to the day before.",
            "whole",
            low=0,
            high=23,
        ),
        seconds_of(
            _POLICY,
            "day_settle_s",
            "After its close a store's day waits so long for tickets on their way; what comes later is counted in turns of half of it.",
        ),
        seconds_of(_POLICY, "day_late_s", "After its end a store's day that is still open becomes a case."),
        seconds_of(
            _POLICY,
            "silence_s",
            "A store may be silent so long while others of its connection sell: in its open day, or before its next.",
            low=1,
        ),
        field_of(
            _POLICY,
            "closed_period",
            "Where a store's day goes whose period the ERP has closed: the first open month after it, or the day of "
            "posting.",
            "text",
            choices=("next_month", "today"),
        ),
        days(
            "bodies_days",
            "Days for which raw bodies are kept after their order is finished and has no open case; 0 is for ever. What has no "
            "body any more cannot be replayed.",
            _POLICY["bodies_days"],
        ),
        days(
            "deliveries_days",
            "Days for which a delivery is known by its id, and a request by its `Idempotency-Key`; 0 is for ever. Versions are "
            "known for ever.",
            _POLICY["deliveries_days"],
        ),
    ),
)

RETRIES = Section(
    name="policies.retries",
    doc="How patient the hub is with partners. The pause before each retry is a random part of `base_s` doubled each "
    "time, up to `cap_s`.",
    fields=(
        field_of(_RETRY, "attempts_max", "Attempts before a person decides.", "whole", low=1, high=1000),
        field_of(_RETRY, "base_s", "The first pause.", "number", low=0.001, high=3600),
        field_of(_RETRY, "cap_s", "The longest pause.", "number", low=0.001, high=86_400),
        field_of(
            _RETRY,
            "retry_after_max_s",
            "The longest `Retry-After` of a partner that is obeyed.",
            "number",
            low=1,
        ),
        field_of(
            _RETRY,
            "paused_s",
            "How long a connection whose credentials are refused is left alone.",
            "number",
            low=1,
        ),
    ),
)

LIMITS = Section(
    name="limits",
    doc="How much of anything the hub bears.",
    fields=(
        field_of(
            _LIMITS,
            "body_bytes_max",
            "The largest delivery or request that is taken: 20,000 till tickets of 800 bytes unless told otherwise.",
            "whole",
            low=1024,
        ),
        field_of(
            _LIMITS, "response_bytes_max", "The largest reply of a partner that is read.", "whole", low=1024
        ),
        field_of(
            _LIMITS,
            "intake_waiting_max",
            "Deliveries that may wait to be written; above, 503.",
            "whole",
            low=1,
        ),
        field_of(
            _LIMITS,
            "batch_messages_max",
            "Messages decided on in one transaction.",
            "whole",
            low=1,
            high=10_000,
        ),
        field_of(
            _LIMITS,
            "wal_bytes_max",
            "Size of SQLite's log above which it is truncated.",
            "whole",
            low=1024 * 1024,
        ),
    ),
)
