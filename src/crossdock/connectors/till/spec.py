"""What the plain till contract is and bears."""

from crossdock.sdk.spec import ConnectorSpec, Inbound, Setting

TICKET, TICKETS, CASH, OPENED, CLOSED = "ticket", "tickets", "cash.movement", "day.opened", "day.closed"
CONTROL = "upload.control"

SPEC = ConnectorSpec(
    name="till",
    title="Tills of stores over plain HTTP",
    roles=("till",),
    settings=(
        Setting(
            name="webhook_secret",
            doc="Key of the HMAC under which the stores sign what they post",
            secret=True,
        ),
        Setting(
            name="upload_tickets_per_s",
            doc="Tickets a second of one upload that are taken up, so that others come between",
            required=False,
            default="100",
            kind="whole",
            low=1,
            high=100_000,
        ),
    ),
    operations=(),
    inbound=(
        Inbound(kind=TICKET, doc="One ticket: sale, return, both, or a number that was used for neither"),
        Inbound(kind=TICKETS, doc="Many tickets in one body, after hours offline or in batches"),
        Inbound(kind=CASH, doc="Cash paid in or out, or a float, under a number of its till"),
        Inbound(kind=OPENED, doc="A store opened its business day"),
        Inbound(kind=CLOSED, doc="A store closed its business day: the Z report of each till"),
        Inbound(
            kind=CONTROL, doc="What an upload states that it holds; made by the hub of the upload's head"
        ),
    ),
)
