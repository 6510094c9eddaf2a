"""What partners have really carried out: no document twice, whatever the hub believes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from crossdock.simulator.base import SimRequest, SimResponse
from sim.world import Violation, World

FOLLOW_UPS = ("/cancel", "/amend")


class Witness:
    """Stands beside every partner. `documents`: what was made, by (partner, effect key)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.documents: dict[tuple[str, str], str] = {}
        self.partners: Mapping[str, Any] = {}

    def carried_out(self, name: str, request: SimRequest, answer: SimResponse) -> None:
        """c: one document per effect key, one per reference, and no change of a document twice."""
        self._world.tell("partner", name, request.method, request.path, answer.status)
        if request.method != "POST":
            return
        if request.path.endswith("/batch") and answer.status == 200:
            for single in _singles(request, answer):
                self._posted(name, *single)
        else:
            self._posted(name, request, answer)

    def _posted(self, name: str, request: SimRequest, answer: SimResponse) -> None:
        key = request.headers.get("idempotency-key", "")
        if answer.status == 409 and (b"another body" in answer.body or b"released already" in answer.body):
            raise Violation("c", f"{name} knows {key} already: {answer.body.decode()}.")
        if name == "erp":
            self._erp(request, answer, key)
        elif answer.status == 201:
            self._document(name, key, answer)
        if name in ("shop", "market") and b'"fulfil"' in request.body:
            self._fulfilled(name)

    def _erp(self, request: SimRequest, answer: SimResponse, key: str) -> None:
        erp = self.partners["erp"]
        if answer.status == 201:
            self._document("erp", key, answer)
            reference = msgspec.json.decode(request.body)["reference"]
            count = erp._references.get(f"{request.path[1:]}:{reference}", 0)
            if count > 1:
                raise Violation("c", f"The ERP has {count} {request.path[1:]} of {reference}.")
        elif answer.status == 200 and request.path.endswith(FOLLOW_UPS):
            sale = erp.sales[request.path.split("/")[2]]
            if len(set(sale.changes)) != len(sale.changes):
                raise Violation("c", f"Sale {sale.id} was changed twice under one key: {sale.changes}.")

    def _document(self, name: str, key: str, answer: SimResponse) -> None:
        made = str(msgspec.json.decode(answer.body)["id"])
        if not key:
            raise Violation("c", f"{name} made {made} without a key.")
        if self.documents.setdefault((name, key), made) != made:
            raise Violation("c", f"{name} made {self.documents[name, key]} and {made} of {key}.")

    def _fulfilled(self, name: str) -> None:
        """No parcel is told to a shop twice."""
        for order, made in self.partners[name].admin.fulfillments.items():
            told = [fulfillment.numbers for fulfillment in made if fulfillment.numbers]
            if len(set(told)) != len(told):
                raise Violation("c", f"{name} was told a shipment of {order} twice: {told}.")


def _singles(request: SimRequest, answer: SimResponse) -> list[tuple[SimRequest, SimResponse]]:
    """A batch as what it stands for: every item posted alone, and its own answer."""
    bodies = {item["key"]: item["body"] for item in msgspec.json.decode(request.body)["items"]}
    found = []
    for result in msgspec.json.decode(answer.body)["results"]:
        key, path = result["key"], request.path.removesuffix("/batch")
        body = msgspec.json.encode(bodies[key])
        single = SimRequest(method="POST", path=path, headers={"idempotency-key": key}, body=body)
        told = msgspec.json.encode(result.get("problem") or {"id": result.get("id", "")})
        found.append((single, SimResponse(status=result["status"], body=told)))
    return found
