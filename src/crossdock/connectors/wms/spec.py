"""What the plain warehouse contract is and bears."""

from collections.abc import Mapping

import msgspec

from crossdock.sdk import batches
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
        batches.SETTING,
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
        Inbound(kind="return.received", doc="Goods came back"),
        Inbound(kind="release.cancelled", doc="The answer to a cancellation", overtakes=True),
        Inbound(kind="stock.snapshot", doc="Every level of one location"),
        Inbound(kind="stock.changed", doc="Some levels, absolute"),
    ),
    limits=Limits(requests_per_s=0.0, burst=50, concurrency_max=16),
)


def spec_for(settings: Mapping[str, str]) -> ConnectorSpec:
    """The spec of a connection whose warehouse takes `batch_max` releases in one request."""
    size = batches.batch_max(settings)
    operations = tuple(
        msgspec.structs.replace(operation, batch_max=size) if operation.name == "release" else operation
        for operation in SPEC.operations
    )
    return msgspec.structs.replace(SPEC, operations=operations)
