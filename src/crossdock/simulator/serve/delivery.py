"""Deliveries to the hub: posted until they are taken, as a real partner does, with the patience of one."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Iterable
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from crossdock.simulator.base import Event

CONCURRENCY_MAX = 8
TIMEOUT_S = 10.0
FIRST_RETRY_S = 0.1
RETRY_S_MAX = 3.0


class Deliveries:
    """What one simulator has to tell, in the order that it became due; a refused delivery is tried again later."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._heap: list[tuple[float, int, int, Event]] = []
        self._numbered = 0
        self._wake = asyncio.Event()
        self._in_flight = 0
        self._delivered = 0
        self._answers: dict[str, int] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Take deliveries to be posted at once."""
        for event in events:
            self._push(0.0, 0, event)

    def counts(self) -> dict[str, object]:
        """How many were taken by the hub, wait, and were answered otherwise, by status."""
        return {
            "delivered": self._delivered,
            "waiting": len(self._heap) + self._in_flight,
            "refused": dict(self._answers),
        }

    async def run(self) -> None:
        """Post until cancelled."""
        builder = ClientBuilder().follow_redirects(False).no_proxy().timeout(timedelta(seconds=TIMEOUT_S))
        async with builder.build() as client, asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY_MAX):
                group.create_task(self._work(client))

    async def _work(self, client: Client) -> None:
        task = asyncio.current_task()
        while task is not None and not task.cancelling():  # a post that fails as we are told to end hides it
            attempt, event = await self._next()
            self._in_flight += 1
            try:
                taken = await self._post(client, event)
            finally:
                self._in_flight -= 1
            if taken:
                self._delivered += 1
            else:
                pause = min(RETRY_S_MAX, FIRST_RETRY_S * 2**attempt)
                self._push(asyncio.get_running_loop().time() + pause, attempt + 1, event)

    async def _next(self) -> tuple[int, Event]:
        while True:
            now = asyncio.get_running_loop().time()
            if self._heap and self._heap[0][0] <= now:
                return heapq.heappop(self._heap)[2:]
            self._wake.clear()
            wait = self._heap[0][0] - now if self._heap else None
            with contextlib.suppress(TimeoutError):
                # wait_for of Python 3.11 may swallow that we are told to end
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _post(self, client: Client, event: Event) -> bool:
        headers, body = event
        try:
            reply = await client.post(self._url).headers(headers).body_bytes(body).build().send()
        except PyreqwestError as error:
            self._note(type(error).__name__)
            return False
        if 200 <= reply.status < 300:
            return True
        self._note(str(reply.status))
        return False

    def _note(self, answer: str) -> None:
        self._answers[answer] = self._answers.get(answer, 0) + 1

    def _push(self, due: float, attempt: int, event: Event) -> None:
        self._numbered += 1
        heapq.heappush(self._heap, (due, self._numbered, min(attempt, 20), event))
        self._wake.set()
