"""What most commands share: the options, the configuration, the store beside a running hub, the hub's own API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossdock.errors import (
    ConfigurationError,
    ConflictError,
    CredentialsError,
    CrossdockError,
    NotFoundError,
    NotSentError,
)

if TYPE_CHECKING:
    from crossdock.config import Config, HubConfig
    from crossdock.sdk.calls import Response
    from crossdock.stores.sqlite.reads import Reads
    from crossdock.transport.http import HttpTransport

TOKEN = "CROSSDOCK_TOKEN"  # noqa: S105  # the name of a variable
TIMEOUT_S = 30.0

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", metavar="FILE", envvar="CROSSDOCK_CONFIG", help="The configuration."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one line, nothing else on stdout.")]
UrlOption = Annotated[
    str,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="CROSSDOCK_URL",
        help="The hub's address; else that of the configuration.",
    ),
]
ActorOption = Annotated[str, typer.Option("--actor", help="Who does it; else your name on this machine.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why: it stays on the order's timeline.")]
DEFAULT_CONFIG = Path("crossdock.toml")


def configured(path: Path, *, all_secrets: bool = False) -> Config:
    """The checked configuration. Partners' secrets are needed only where partners are spoken to."""
    from crossdock.config import load_config

    return load_config(path, os.environ, all_secrets=all_secrets)


def hub_of(path: Path) -> HubConfig:
    """Where the hub keeps things and listens; all that looking at it needs."""
    from crossdock.config import load_hub

    return load_hub(path, os.environ)


@contextmanager
def opened(hub: HubConfig) -> Iterator[Reads]:
    """The store, read-only, beside a hub that may be running on it."""
    from crossdock.config.keys import read_key
    from crossdock.stores.opening import open_reads
    from crossdock.stores.vault import Vault

    reads = open_reads(hub.store, Vault(read_key(hub.key)))
    try:
        yield reads
    finally:
        reads.close()


def subject_of(reads: Reads, text: str) -> int:
    """The order that `text` names: by our id, or by the channel's id or number, with its # or without; or a store's day."""
    from datetime import UTC, datetime

    from crossdock.console.days import latest_days
    from crossdock.engine.messages import subject_id, subject_number

    subject = subject_number(text.strip().upper())
    if subject is not None:
        if reads.rows("get_subject", subject):
            return subject
        raise NotFoundError(f"There is no order {text}. Look it up by the channel's number.")
    sources = sorted({row[0] for row in reads.rows("counters")})
    found = reads.find(text, sources) or reads.find(f"#{text}", sources)
    found = found or latest_days(reads, text, sources, datetime.now(UTC).date())
    if not found:
        raise NotFoundError(
            f"No order goes by {text[:60]!r}. Give its id here (CD0000000001), or the channel's id or number."
        )
    if len(found) > 1:
        ids = ", ".join(subject_id(subject) for subject in found)
        raise ConflictError(f"{len(found)} orders go by {text[:60]!r}: {ids}. Name one of them.")
    return found[0]


def actor_or_self(actor: str) -> str:
    """Who acts: as given, else the user of this machine."""
    import getpass

    if actor.strip():
        return actor.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError) as error:
        raise ConfigurationError("This machine does not know your name. Give it with --actor.") from error


class Api:
    """The API of a running hub."""

    def __init__(self, transport: HttpTransport, url: str) -> None:
        self._transport, self._url = transport, url

    def post(self, path: str, body: Any, *, key: str = "") -> Any:
        """Post JSON, return what was answered; a refusal is one of our errors. The same under a key is done once."""
        from crossdock.sdk.calls import post

        return self._answer(post(path, json=body, headers={"idempotency-key": key} if key else {}))

    def get(self, path: str) -> Any:
        """What is answered to a question."""
        from crossdock.sdk.calls import get

        return self._answer(get(path))

    def _answer(self, request: Any) -> Any:
        import msgspec

        try:
            reply = self._transport.send(request, TIMEOUT_S)
        except NotSentError as error:
            raise NotSentError(
                f"No hub answers at {self._url}. Start it with `crossdock up`, or give its --url."
            ) from error
        if reply.status >= 400:
            raise refusal(reply)
        try:
            return msgspec.json.decode(reply.body) if reply.body else None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"What answers at {self._url} is no hub. Look at the address."
            ) from error


def refusal(reply: Response) -> CrossdockError:
    """What an RFC 9457 problem says, as an error."""
    from crossdock.errors import RejectedError

    detail, field = problem_of(reply)
    if reply.status == 401:
        return CredentialsError(
            f"The hub does not know the token in {TOKEN}. `crossdock init --token NAME` makes one."
        )
    if reply.status == 404:
        return NotFoundError(detail or "The hub has no such thing.")
    if reply.status == 409:
        return ConflictError(detail or "The hub holds something else.")
    place = f"{field}: " if field and field not in detail else ""
    return RejectedError(f"The hub answered {reply.status}. {place}{detail}".strip(), field=field)


def problem_of(reply: Response) -> tuple[str, str]:
    """(detail, field) of a problem; of anything else nothing."""
    import msgspec

    try:
        problem = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "", ""
    if not isinstance(problem, dict):
        return "", ""
    detail = problem.get("detail") or problem.get("title") or ""
    return str(detail), str(problem.get("field") or "")


@contextmanager
def api(path: Path, url: str) -> Iterator[Api]:
    """The API of the hub at `url`, or of the one that is configured; the token comes from the environment."""
    from crossdock.sdk.webhooks import bearer
    from crossdock.transport.http import HttpTransport

    token = os.environ.get(TOKEN, "")
    if not token:
        raise ConfigurationError(f"{TOKEN} is not set. Set it to the token that `crossdock init` printed.")
    address = (url or hub_of(path).local_url).rstrip("/")
    transport = HttpTransport(address, bearer(token))
    try:
        yield Api(transport, address)
    finally:
        transport.close()
