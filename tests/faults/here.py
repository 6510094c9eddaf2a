"""The same retailer in the test's own process, where a test can reach into the hub: simulators and hub in threads."""

import asyncio
import threading
from contextlib import contextmanager

import msgspec

from crossdock.bootstrap.hub import Hub
from crossdock.config import keys, load_config
from crossdock.engine.messages import HUB, LANE_FREE, OPERATOR, Arrival, OperatorAction
from crossdock.errors import RetryableError
from crossdock.gateway.server import HubServer
from crossdock.sdk.calls import get
from crossdock.simulator.faults import Plan
from crossdock.simulator.serve import App, Config
from tests.bootstrap.waiting import eventually
from tests.faults.hub_process import quick
from tests.faults.retailer import SECRETS, Retailer


class Partners:
    """Simulators in a thread."""

    def __init__(self, plan):
        self.app = App(msgspec.convert(plan, Config))
        self._up, self._stop, self._address = threading.Event(), None, ""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._up.wait(10)

    @property
    def address(self):
        return self._address

    async def _serve(self):
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(end.set)
        await self.app.serve(end, self._told)

    def _told(self, address):
        self._address = address
        self._up.set()

    def end(self):
        self._stop()
        self._thread.join(10)
        assert not self._thread.is_alive()


class RetailerHere(Retailer):
    """Start and stop it as often as you like; `hub` is the hub itself."""

    def start_partners(self, plan):
        self.partners = Partners(plan)
        return self.partners.address

    doubles = None
    """How the ERPs are said to avoid doubles, where it is not what their settings say."""

    def start(self, crash_at=""):
        config = load_config(self.config, SECRETS)
        self.hub = Hub(config, master_key=keys.read_key(config.hub.key))
        for name, connector in self.hub.connectors.items():
            connector.spec = quick(connector.spec)
            if self.doubles and name.startswith("erp"):
                connector.spec = with_doubles(connector.spec, self.doubles)
        server = HubServer(self.hub)
        self.hub.start()
        self.hub.run_beside("http", server.run)
        eventually(self._answers)

    def stop(self):
        if self.hub is not None:
            self.hub.stop()
        self.hub = None

    def close(self):
        self.stop()
        self.partners.end()

    def timeline(self, order_id, channel="shop"):
        """The story of an order by the channel's id."""
        with self.hub.reads() as reads:
            (subject,) = reads.find(order_id, [channel])
            return reads.timeline(subject)

    def mend(self, name):
        """A partner's faults are over."""
        self.partners.app._simulators[name]._plan = Plan()

    def act(self, action, case, **data):
        """An operator's word on a case."""
        told = OperatorAction(action=action, actor="ann", reason="looked", data={"case": case["id"], **data})
        arrival = Arrival(
            source=HUB,
            kind=OPERATOR,
            body=msgspec.json.encode(told),
            subject=case["subject"],
            lane=LANE_FREE,
            trace="a" * 32,
        )
        self.hub.accept([arrival])

    def cases(self):
        with self.hub.reads() as reads:
            return reads.cases(after=0, state="open", limit=100)

    def rows(self, name, *bindings):
        with self.hub.reads() as reads:
            return reads.rows(name, *bindings)

    def _answers(self):
        try:
            return self._gate.send(get("/healthz"), 2.0).status == 200
        except RetryableError:
            return False


def with_doubles(spec, doubles):
    operations = tuple(
        msgspec.structs.replace(operation, doubles=doubles) if operation.kind == "once" else operation
        for operation in spec.operations
    )
    return msgspec.structs.replace(spec, operations=operations)


@contextmanager
def retailer(folder, *, doubles=None, **settings):
    """A retailer that is running and has stock."""
    made = RetailerHere(folder, **settings)
    made.doubles = doubles
    try:
        made.start()
        made.stock()
        yield made
    finally:
        made.close()
