"""What Kafka is and bears."""

from crossdock.sdk.spec import ConnectorSpec, Limits, Setting
from crossdock.sdk.telling import EVENTS, tell

SPEC = ConnectorSpec(
    name="kafka",
    title="Events into Kafka",
    roles=("subscriber",),
    settings=(
        Setting(name="servers", doc='Bootstrap servers, such as ["kafka://one.example:9092"]'),
        Setting(
            name="topic",
            doc="The topic that takes them; the key of a message is its order",
            required=False,
            default="crossdock.events",
        ),
        Setting(
            name="security",
            doc="How the brokers are spoken to",
            required=False,
            default="ssl",
            choices=("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
        ),
        Setting(
            name="mechanism",
            doc="How we prove who we are, with sasl",
            required=False,
            default="SCRAM-SHA-512",
            choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
        ),
        Setting(name="user", doc="User, with sasl", required=False),
        Setting(name="password", doc="The user's password", secret=True, required=False),
        Setting(
            name="ca_file",
            doc="File of the authority that signed the brokers, where not the system's",
            required=False,
        ),
        EVENTS,
    ),
    operations=(tell("Produce an event and wait until all replicas in step have it", deadline_s=45.0),),
    inbound=(),
    limits=Limits(requests_per_s=0.0, burst=1000, concurrency_max=32),
)
