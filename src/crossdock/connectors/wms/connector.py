"""Calls to the warehouse, and which mapping reads which of its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import quote

from crossdock.connectors.wms import mapping
from crossdock.connectors.wms.spec import spec_for
from crossdock.errors import MappingError, RejectedError
from crossdock.model.commands import CancelRelease, Release
from crossdock.model.reports import Report, StockReported
from crossdock.sdk.batches import REFUSALS, Asked, Documents
from crossdock.sdk.calls import Calls, Done, Intent, get, post, refused
from crossdock.sdk.plain import KEY, Created, PlainConnector, stock_reported
from crossdock.sdk.spec import Child, Translation


def build(settings: Mapping[str, str]) -> WmsConnector:
    """Build the connector of one connection."""
    return WmsConnector(settings)


class WmsConnector(PlainConnector):
    """A warehouse behind the contract of openapi.yaml."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(spec_for(settings), settings)
        self._releases = Documents("/releases", mapping.release, _find)

    def release(self, command: Release | Sequence[Release], intent: Intent | Sequence[Intent]) -> Calls:
        """Release a request once, or many in one request where the warehouse has a `batch_max`.

        An earlier attempt is looked up, lest a warehouse that forgot its keys picks twice.
        """
        return self._releases.make(command, intent)

    def cancel_release(self, command: CancelRelease, intent: Intent) -> Calls:
        """Ask once to stop. A 200 is the answer itself and goes on as `release.cancelled`; after a 202 it comes later."""
        path = f"/releases/{quote(command.request, safe='')}/cancel"
        reply = yield post(path, json=mapping.cancellation(command), headers={KEY: intent.key})
        if reply.status >= 400:
            return refused(reply)
        if reply.status == 202:
            return Done()
        answer = reply.decode(mapping.CancellationAnswer)
        said = Child(kind="release.cancelled", body=reply.body, ref_kind="hub", ref=answer.order_id)
        return Done(messages=(said,))

    def split(self, kind: str, body: bytes) -> Iterable[Child] | None:
        """Every event of this contract is a single one."""
        return None

    def translate(
        self, kind: str, headers: Mapping[str, str], body: bytes, context: Translation
    ) -> tuple[Report, ...]:
        """Turn one event into reports; that a release was accepted is kept and reports nothing new."""
        read = _EVENTS.get(kind)
        if read is None:
            raise MappingError(
                f"The warehouse contract has no event {kind!r}. Compare its version.", field="kind"
            )
        report = read(body, context.connection)
        return () if report is None else (report,)


def _find(body: mapping.ReleaseBody) -> Asked[Done | None]:
    found = yield get(f"/releases/{quote(body.request_id, safe='')}", accept=REFUSALS)
    if found.status < 400:
        return Done(reference=found.decode(Created).id, already=True)
    if found.status == 404:
        return None
    raise RejectedError(
        f"Looking up {body.request_id} was answered with {found.status}. Ask the warehouse's keeper."
    )


def _snapshot(body: bytes, connection: str) -> StockReported:
    return stock_reported(body, connection, complete=True)


def _changed(body: bytes, connection: str) -> StockReported:
    return stock_reported(body, connection, complete=False)


_EVENTS: dict[str, Callable[[bytes, str], Report | None]] = {
    "release.accepted": mapping.accepted,
    "release.refused": mapping.release_refused,
    "pick.short": mapping.short_pick,
    "shipment.created": mapping.shipment,
    "return.received": mapping.goods_return,
    "release.cancelled": mapping.cancellation_answer,
    "stock.snapshot": _snapshot,
    "stock.changed": _changed,
}
