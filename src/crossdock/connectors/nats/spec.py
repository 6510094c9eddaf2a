"""What NATS JetStream is and bears."""

from crossdock.sdk.spec import ConnectorSpec, Limits, Setting
from crossdock.sdk.telling import EVENTS, tell

SPEC = ConnectorSpec(
    name="nats",
    title="Events into NATS JetStream",
    roles=("subscriber",),
    settings=(
        Setting(
            name="servers", doc='Addresses, such as ["nats://one.example:4222", "tls://two.example:4222"]'
        ),
        Setting(
            name="subject",
            doc="What subjects begin with: an order.accepted is published to crossdock.order.accepted",
            required=False,
            default="crossdock",
        ),
        Setting(name="stream", doc="The stream that takes them", required=False, default="CROSSDOCK"),
        Setting(
            name="make_stream",
            doc="Make the stream where there is none: in files, with the copies and the window below",
            required=False,
            default="yes",
            choices=("yes", "no"),
        ),
        Setting(
            name="replicas",
            doc="Copies of a stream that is made",
            required=False,
            default="1",
            choices=("1", "3", "5"),
        ),
        Setting(
            name="duplicate_window_s",
            doc="How long a stream that is made knows a message id again, in seconds",
            required=False,
            default="1200",
            kind="whole",
            low=1,
            high=86_400,
        ),
        Setting(name="user", doc="User, where the server wants one", required=False),
        Setting(name="password", doc="The user's password", secret=True, required=False),
        Setting(name="token", doc="Token, where the server wants one", secret=True, required=False),
        Setting(name="credentials_file", doc="File of credentials (.creds) on this machine", required=False),
        EVENTS,
    ),
    operations=(tell("Publish an event and wait until the stream has it"),),
    inbound=(),
    limits=Limits(requests_per_s=0.0, burst=1000, concurrency_max=32),
)
