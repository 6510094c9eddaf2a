"""A partner of the tests' own: a connector with an operation of each kind, and a wire that answers from a script."""

import msgspec

from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.lanes import Lane
from crossdock.engine.marks import Publisher
from crossdock.engine.pace import Breaker, bucket
from crossdock.engine.performing import Performer
from crossdock.sdk.calls import Done, Page, Pending, Refused, Response, Results, get, post, refused
from crossdock.sdk.spec import Child, ConnectorSpec, Operation
from crossdock.testing.store_case import SECOND
from tests.engine.trade import Rig

OPERATIONS = (
    Operation(name="by_key", doc="", doubles="key", settle_s=5),
    Operation(name="by_lookup", doc="", doubles="lookup", settle_s=5),
    Operation(name="by_none", doc="", doubles="none"),
    Operation(name="feed_in", doc="", doubles="key"),
    Operation(name="telling", doc="", doubles="key"),
    Operation(name="poll", doc="", kind="poll"),
    Operation(name="broken", doc="", doubles="none"),
    Operation(name="set_values", doc="", kind="latest", batch_max=3),
    Operation(name="many", doc="", doubles="key", batch_max=4),
)


class Partner:
    """Sans-IO, like any connector."""

    def __init__(self, name="partner"):
        self.spec = ConnectorSpec(
            name=name, title="", roles=("partner",), settings=(), operations=OPERATIONS, inbound=()
        )
        self.intents = []

    def by_key(self, command, intent):
        self.intents.append(intent)
        reply = yield post("/by_key", json=command, headers={"idempotency-key": intent.key})
        return refused(reply) if reply.status >= 400 else _done(reply)

    def by_lookup(self, command, intent):
        self.intents.append(intent)
        if intent.may_have_happened:
            found = yield get("/by_lookup", query={"reference": intent.key})
            if found.status == 200:
                return Done(reference="found", already=True)
        reply = yield post("/by_lookup", json=command)
        return refused(reply) if reply.status >= 400 else _done(reply)

    def by_none(self, command, intent):
        self.intents.append(intent)
        reply = yield post("/by_none", json=command)
        return refused(reply) if reply.status >= 400 else _done(reply)

    def feed_in(self, command, intent):
        self.intents.append(intent)
        if not intent.resume:
            yield post("/feeds", json=command)
            return Pending(resume="feed-7", after=20)
        reply = yield get(f"/feeds/{intent.resume}")
        return (
            Done(reference=intent.resume) if reply.status == 200 else Pending(resume=intent.resume, after=20)
        )

    def telling(self, command, intent):
        yield post("/telling")
        told = Child(kind="cancel", body=b'{"text":"told"}', delivery_id="d1")
        return Done(reference="T1", messages=(told,))

    def poll(self, command, intent):
        reply = yield get("/page")
        return Page(kind="page.words", body=reply.body, cursor="c9", more=False)

    def broken(self, command, intent):
        raise ValueError("a bug in the connector")
        yield

    def many(self, commands, intents):
        """The wire answers with what became of each: "R.." done, "!.." refused, absent is not told."""
        self.intents += intents
        keys = [intent.key for intent in intents]
        reply = yield post("/many", json={"keys": keys})
        said = msgspec.json.decode(reply.body, type=dict[str, str]) if reply.body else {}
        told = {key: said.get(key, "R") for key in keys if said.get(key) != "absent"}
        return Results(
            by_key={
                key: Refused(reason=word[1:]) if word[0] == "!" else Done(reference=word)
                for key, word in told.items()
            }
        )

    def set_values(self, commands, intent):
        self.intents.append(intent)
        reply = yield post("/values", json=commands)
        said = msgspec.json.decode(reply.body or b"{}", type=dict[str, str])
        refusals = {key: Refused(reason=why, field="value") for key, why in said.items() if why != "missing"}
        keys = [command["key"] for command in commands if said.get(command["key"]) != "missing"]
        return Results(by_key={key: refusals.get(key) or Done() for key in keys})


def _done(reply):
    return Done(reference=reply.body.decode() or "R1")


class Wire:
    """Each path has a queue of answers, 200 when it is empty; what an answer does before it is given is its own."""

    def __init__(self):
        self.answers, self.sent, self.traces = {}, [], []

    def will(self, path, *answers):
        self.answers.setdefault(path, []).extend(answers)

    def send(self, request, timeout_s, traceparent="", tracestate=""):
        self.sent.append(request)
        self.traces.append((traceparent, tracestate))
        queue = self.answers.get(request.path)
        answer = queue.pop(0) if queue else 200
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            answer = Response(status=answer)
        return answer

    def count(self, path, method="POST"):
        return sum(request.path == path and request.method == method for request in self.sent)


class Outbound(Rig):
    """A rig with partners behind it."""

    def __init__(self, store, *, names=("partner",), values=None, **lane):
        super().__init__(store)
        self.wires = {name: Wire() for name in names}
        self.connectors = {name: Partner(name) for name in names}
        self.lanes = {
            name: Lane(
                name=name,
                connector=self.connectors[name],
                transport=self.wires[name],
                policy=self.policy,
                **{"pace": bucket(0, 1), "breaker": Breaker(failures_max=3), **lane},
            )
            for name in names
        }
        self.points = []
        self.performer = Performer(
            self.connectors,
            lambda effect: msgspec.json.decode(effect.command),
            clock=lambda: self.now,
            jitter=lambda: 0.5,
            policy=self.policy,
            reach=self.points.append,
        )
        self.dispatcher = Dispatcher(
            store, self.lanes, self.performer, jitter=lambda: 0.5, reach=self.points.append
        )
        self.values = values if values is not None else {}
        self.publisher = Publisher(
            store,
            self.lanes,
            self._values,
            clock=lambda: self.now,
            jitter=lambda: 0.5,
            reach=self.points.append,
        )

    @property
    def wire(self):
        return self.wires["partner"]

    def effect(self, *effects, ref="1", **more):
        """Have a message stage these; returns its receipt."""
        receipt = self.send(ref, f"do {len(effects)}", effects=effects, **more)
        self.run()
        return receipt

    def deliver(self):
        """Perform what is due, and handle what comes of it, until nothing is."""
        total = 0
        while done := self.dispatcher.step(self.now):
            total += done
            self.run()
        return total

    def after(self, seconds):
        """Let time pass, then deliver."""
        self.later(seconds)
        return self.deliver()

    def outbox(self, receipt):
        """(operation, state, attempts) of the subject's effects that are not through."""
        return [
            (row["operation"], row["state"], row["attempt"])
            for row in self.story(receipt)["effects"]
            if row["state"] >= 0
        ]

    def _values(self, connection, operation, keys):
        return {
            key: (str(self.values[key]), {"key": key, "value": self.values[key]})
            for key in keys
            if key in self.values
        }


__all__ = ["SECOND", "Outbound", "Partner", "Wire"]
