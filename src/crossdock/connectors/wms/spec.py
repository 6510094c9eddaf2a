"""What the plain warehouse contract is and bears."""

from crossdock.sdk.spec import ConnectorSpec, Inbound, Limits, Operation, Setting

SPEC = ConnectorSpec(
    name="wms",
    title="Warehouse over plain REST",
    roles=("wms",),
    settings=(
        Setting(
            name="url", doc="Where the warehouse system serves the contract, e.g. https://wms.example/api"
        ),
        Setting(name="token", doc="Bearer token that we send with every request", secret=True),
        Setting(name="webhook_secret", doc="Key of the HMAC under which it signs its events", secret=True),
    ),
    operations=(
        Operation(
            name="release",
            doc="Ask for these quantities to be picked, packed and shipped",
            held_by_case=True,
        ),
        Operation(name="cancel_release", doc="Ask for quantities of a release to be stopped"),
    ),
    inbound=(
        Inbound(kind="release.accepted", doc="The warehouse has the release and will work on it"),
        Inbound(kind="release.refused", doc="The warehouse will not ship any of it"),
        Inbound(kind="pick.short", doc="Some of it was not on the shelf"),
        Inbound(kind="shipment.created", doc="Packages left"),
        Inbound(kind="release.cancelled", doc="The answer to a cancellation", overtakes=True),
        Inbound(kind="stock.snapshot", doc="Every level of one location"),
        Inbound(kind="stock.changed", doc="Some levels, absolute"),
    ),
    limits=Limits(requests_per_s=0.0, burst=50, concurrency_max=16),
)
