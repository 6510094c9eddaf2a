"""What the engine asks of those who know the trade: one protocol, implemented by `crossdock.flows`.

The engine knows messages; it never looks into reports, needs, snapshots or changes. It asks the handler to translate
(pure), what to load for a batch, for a world over what was loaded, and then hands it message after message.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Protocol

from crossdock.engine.messages import Arrival, Decision, Message
from crossdock.sdk.spec import Inbound

Reports = Any
Needs = Any
Snapshot = Any
Changes = Any


class World(Protocol):
    """The state that a batch touches, as a chain of overlays: what one message changes, the next one sees."""

    def handle(self, message: Message, reports: Reports, now: int) -> Decision:
        """Decide on one message inside a fork of its own; raise to drop the fork.

        MappingError, RejectedError and ConflictError park the message; SnoozeError puts it off; RetryableError tries it
        again; anything else is a defect and parks it as `internal`. The world is unchanged after a raise.
        """
        ...

    def changes(self) -> Changes:
        """All that the handled messages changed, for the store to write in the batch's transaction."""
        ...


class Handler(Protocol):
    """The trade, as the engine sees it."""

    read: Container[int]
    """Messages of which it is known already what they say; `translate` needs no body of these at their first attempt."""

    def inbound(self, source: str, kind: str) -> Inbound | None:
        """What the source's connector says of this kind; None: it is kept unhandled."""
        ...

    def split(self, message: Message) -> list[Arrival] | None:
        """Children of a page, file or upload; None where the message is a single one."""
        ...

    def translate(self, message: Message) -> Reports:
        """Bytes to canonical reports; raise MappingError that names the field."""
        ...

    def newer(self, reports: Reports, than: Reports) -> bool:
        """True where both tell of a whole object, and the first of a newer version of it."""
        ...

    def needs(self, batch: Sequence[tuple[Message, Reports]]) -> Needs:
        """What must be loaded to decide on all of these."""
        ...

    def world(self, needs: Needs, snapshot: Snapshot) -> World:
        """A world over what the store loaded for `needs`."""
        ...

    def laid_over(
        self,
        needs: Needs,
        load: Callable[[Needs], Snapshot],
        changes: Changes,
        seen: Mapping[tuple[int, str, str, str], str],
    ) -> Snapshot | None:
        """What is loaded for `needs`, as it will be once a batch of these changes, which has seen these versions, is written.

        It is being written meanwhile: what is loaded may be from before that, from after it, or partly so. None: whoever needs
        this must wait for it.
        """
        ...
