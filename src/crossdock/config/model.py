"""What a configuration is once it is read, and how its mistakes are told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from crossdock.domain.policy import Mode, Plan
from crossdock.engine.recovery import RetryPolicy
from crossdock.errors import ConfigurationError
from crossdock.sdk.spec import ConnectorSpec
from crossdock.sdk.spec import Limits as Pace

MIB = 1024 * 1024

Severity = Literal["error", "warning"]


class HubConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The hub itself. `data` is absolute; `public_url` is how others reach it, without a slash at the end."""

    name: str
    data: Path
    host: str
    port: int
    public_url: str
    database: str = ""

    @property
    def store(self) -> Path | str:
        """The database file, or the address of the database that several processes share."""
        return self.database or self.data / "crossdock.db"

    @property
    def store_name(self) -> str:
        """The store as it may be printed, without a password."""
        return re.sub(r"://[^@/]*@", "://", self.database) or str(self.store)

    def __repr__(self) -> str:
        return (
            f"HubConfig(name={self.name!r}, store={self.store_name!r}, host={self.host!r}, port={self.port})"
        )

    @property
    def key(self) -> Path:
        """The master key that raw bodies and persons are sealed under."""
        return self.data / "key"

    @property
    def tokens(self) -> Path:
        """The hashes of the API's tokens."""
        return self.data / "tokens"

    @property
    def local_url(self) -> str:
        """Where the hub is reached from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class ConnectionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One account of one partner. `settings` are complete, defaults and secrets included, and never printed.

    since: nothing older goes live (UTC). limits: the spec's, or what the file says instead. feeds: what is polled
    every `poll_every_s` seconds; 0 is never. spec: what the connector says of itself with these settings. bodies_days,
    deliveries_days: what the policy says instead, where they are not None.
    """

    name: str
    connector: str
    spec: ConnectorSpec
    mode: Mode = "live"
    since: datetime | None = None
    settings: Mapping[str, str] = {}
    limits: Pace = Pace()
    poll_every_s: float = 0.0
    feeds: tuple[str, ...] = ()
    bodies_days: int | None = None
    deliveries_days: int | None = None

    def __repr__(self) -> str:
        return f"ConnectionConfig(name={self.name!r}, connector={self.connector!r}, mode={self.mode!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name), ("connector", self.connector), ("mode", self.mode)]


class LimitsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How much of anything the hub bears."""

    body_bytes_max: int = 16 * MIB
    response_bytes_max: int = 16 * MIB
    intake_waiting_max: int = 10_000
    batch_messages_max: int = 200
    wal_bytes_max: int = 64 * MIB


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake, or one doubt: where it stands, what it is, and what to do. line 0: of no line in particular."""

    line: int
    field: str
    message: str
    remedy: str
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.field}: {self.message} {self.remedy}".rstrip()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All of `crossdock.toml`, checked. `warnings` are doubts that keep nothing from starting."""

    path: Path
    hub: HubConfig
    connections: Mapping[str, ConnectionConfig]
    plan: Plan
    retries: RetryPolicy = RetryPolicy()
    limits: LimitsConfig = LimitsConfig()
    warnings: tuple[Problem, ...] = ()


class ConfigurationErrors(ConfigurationError):
    """Everything that is wrong with a file, in the order of its lines; `problems` holds the warnings too."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        errors = [problem for problem in problems if problem.severity == "error"]
        listed = "\n".join(f"  {problem}" for problem in errors)
        super().__init__(
            f"{path.name} has {len(errors)} mistake{'s' if len(errors) != 1 else ''}:\n{listed}",
            field=errors[0].field if errors else None,
            line=(errors[0].line or None) if errors else None,
        )
