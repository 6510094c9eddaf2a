"""A shop that answers at once and remembers when it was told which quantity: `GET /told`, [[time in µs, SKU, quantity], ...]."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

import msgspec
import uvloop

from crossdock.simulator.base import SimRequest, SimResponse, json_response
from crossdock.simulator.serve.http import HttpServer
from crossdock.simulator.shopify import ShopifySimulator
from crossdock.simulator.shopify_admin import ITEM_ID


class _Line(msgspec.Struct, gc=False):
    inventoryItemId: str
    quantity: int


class _Input(msgspec.Struct, gc=False):
    quantities: list[_Line] = []


class _Variables(msgspec.Struct, gc=False):
    input: _Input = msgspec.field(default_factory=_Input)


class _Asked(msgspec.Struct, gc=False):
    operationName: str = ""
    variables: _Variables = msgspec.field(default_factory=_Variables)


_asked = msgspec.json.Decoder(_Asked).decode


class Channel:
    """The simulated shop, and what it was told."""

    def __init__(self, secret: str, skus: int) -> None:
        settings = {"access_token": secret, "webhook_secret": secret, "skus": skus, "documents": False}
        self._shop = ShopifySimulator(settings, 1)
        self.told: list[tuple[int, str, int]] = []

    def answer(self, request: SimRequest) -> SimResponse:
        """Answer as the shop does, then note what it was told."""
        if request.path == "/told":
            return json_response(self.told)
        now = time.time_ns() // 1_000
        answer = self._shop.handle(request, now)
        if b'"setQuantities"' in request.body:
            skus = self._shop.catalogue.skus
            for line in _asked(request.body).variables.input.quantities:
                number = int(line.inventoryItemId.rpartition("/")[2]) - ITEM_ID
                self.told.append((now, skus[number], line.quantity))
        return answer


async def _serve(channel: Channel) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = HttpServer(channel.answer)
    print(json.dumps({"listening": await server.start("127.0.0.1", 0)}), flush=True)
    await stop.wait()
    await server.close()


if __name__ == "__main__":
    uvloop.run(_serve(Channel(sys.argv[1], int(sys.argv[2]))))
