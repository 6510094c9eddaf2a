"""What a subscriber over HTTP is and bears."""

from crossdock.sdk.spec import ConnectorSpec, Limits, Setting
from crossdock.sdk.telling import EVENTS, tell

SPEC = ConnectorSpec(
    name="subscriber",
    title="Events to a subscriber, as signed webhooks",
    roles=("subscriber",),
    settings=(
        Setting(name="url", doc="Where the subscriber takes events, e.g. https://audit.example/events"),
        Setting(
            name="secret",
            doc="Key that deliveries are signed under: whsec_ and 24 to 64 random bytes in base64",
            secret=True,
        ),
        Setting(
            name="older_secrets",
            doc="Keys that are being replaced, with commas: deliveries bear their signatures too",
            secret=True,
            required=False,
        ),
        Setting(
            name="token",
            doc="Bearer token that is sent with every delivery, where it wants one",
            secret=True,
            required=False,
        ),
        EVENTS,
    ),
    operations=(tell("Post an event; anything but a 2xx is tried again"),),
    inbound=(),
    limits=Limits(requests_per_s=0.0, burst=20, concurrency_max=8),
)
