"""A small trade of the tests' own: subjects are lists of words, messages add to them. And a rig that runs it."""

import base64

import msgspec

from crossdock.domain.overlaying import can_lie_over, laid_over
from crossdock.domain.state import Changes, Level, Movement, Needs
from crossdock.engine.messages import (
    HUB,
    LANE_FREE,
    OPERATOR,
    PAGE_PREFIX,
    SETTLED,
    Arrival,
    CloseCase,
    Decision,
    Event,
    Mark,
    OpenCase,
    OperatorAction,
    Settled,
    Stage,
    Timer,
)
from crossdock.engine.pipeline import Pipeline
from crossdock.engine.recovery import RetryPolicy
from crossdock.errors import (
    ConflictError,
    MappingError,
    RejectedError,
    RetryableError,
    SnoozeError,
)
from crossdock.sdk.spec import Inbound
from crossdock.testing.store_case import NOW, SECOND, process

KINDS = {
    "word": Inbound(kind="word", doc="One more word"),
    "whole": Inbound(kind="whole", doc="All the words", whole_object=True),
    "cancel": Inbound(kind="cancel", doc="A word that overtakes", overtakes=True),
    "pair": Inbound(kind="pair", doc="Two words"),
    "page.words": Inbound(kind="page.words", doc="A page of words"),
}
OWN = ("alarm", OPERATOR, SETTLED)
MOODS = {
    "mapping": lambda: MappingError("no such thing", field="words[0]"),
    "rejected": lambda: RejectedError("no"),
    "conflict": lambda: ConflictError("two facts"),
    "retry": lambda: RetryableError("later"),
    "snooze": lambda: SnoozeError("not yet", after=5),
    "defect": lambda: ValueError("a bug of ours"),
}


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a message says. `mood` fails it while it is decided, `early` while it is translated or asked for needs."""

    text: str = ""
    mood: str = ""
    early: str = ""
    poison: bool = False
    """Decided without a fault, but the store cannot write it."""
    effects: tuple[str, ...] = ()
    held: bool = False
    marks: tuple[str, ...] = ()
    alarm_s: int = 0
    case: str = ""
    close: str = ""
    take: int = 0
    """How many of the one SKU it takes; a level is kept, and movements."""
    outcome: str = "processed"
    version: int = 0


class Trade:
    """Implements `engine.handling.Handler`. `moods` overrides what words say of themselves; what is `mended` fails no more."""

    def __init__(self):
        self.moods, self.mended = {}, set()
        self.worlds, self.read = 0, ()
        self.translated = []

    def inbound(self, source, kind):
        if source == HUB:
            return Inbound(kind=kind, doc="ours", overtakes=True) if kind in OWN else None
        return KINDS.get(kind)

    def split(self, message):
        if message.kind not in ("pair", "page.words"):
            return None
        return [
            Arrival(
                source=message.source,
                kind="word",
                body=bytes(raw),
                ref_kind="order",
                ref=f"{message.id}-{n}",
                parent=message.id,
                position=n,
                trace=message.trace,
            )
            for n, raw in enumerate(msgspec.json.decode(message.body, type=list[msgspec.Raw]))
        ]

    def translate(self, message):
        self.translated.append(message.id)
        if message.kind in ("pair", "page.words"):
            return ()
        if message.kind == SETTLED:
            return (msgspec.json.decode(message.body, type=Settled),)
        if message.kind == OPERATOR:
            return (msgspec.json.decode(message.body, type=OperatorAction),)
        try:
            word = msgspec.json.decode(message.body, type=Word)
        except msgspec.DecodeError as error:
            raise MappingError(f"unreadable: {error}", field="text") from error
        if word.early == "translate":
            raise ValueError("a bug in the mapping")
        return (word,)

    def newer(self, reports, than):
        return bool(reports and than) and reports[0].version > than[0].version

    def needs(self, batch):
        for _, reports in batch:
            if any(getattr(report, "early", "") == "needs" for report in reports):
                raise KeyError("a bug in needs")
        return Needs(orders=tuple(dict.fromkeys(message.subject for message, _ in batch)), skus=("SKU",))

    def laid_over(self, needs, load, changes, seen):
        return laid_over(needs, load(needs), changes, seen) if can_lie_over(needs, changes) else None

    def world(self, needs, snapshot):
        self.worlds += 1
        return TradeWorld(self, snapshot)


class TradeWorld:
    """The overlay of a batch."""

    def __init__(self, trade, snapshot):
        self._trade = trade
        self._versions = {subject: stored.version for subject, stored in snapshot.orders.items()}
        self.words = {
            subject: msgspec.json.decode(stored.value)["words"] for subject, stored in snapshot.orders.items()
        }
        self._touched = {}
        self._level = snapshot.levels.get(("SKU", "HERE"), Level("SKU", "HERE"))
        self._movements = []
        self._poison = []

    def handle(self, message, reports, now):
        for report in reports:
            if isinstance(report, Settled):
                self._say(message.subject, f"{report.operation} {report.outcome}")
                return _decision_on(report)
            if isinstance(report, OperatorAction):
                self._say(message.subject, report.action)
                return Decision(events=[Event(type="acted")])
        if not reports:
            feed = message.kind.removeprefix(PAGE_PREFIX)
            return Decision(
                events=[Event(type="page")], cursor=(message.source, feed, message.headers["cursor"])
            )
        word = reports[0]
        well = word.text in self._trade.mended
        mood = "" if well else self._trade.moods.get(word.text, word.mood)
        if mood:
            raise MOODS[mood]()
        self._say(message.subject, word.text, whole=message.kind == "whole")
        self._take(message, word, now)
        if word.poison and not well:
            self._poison.append(message)
        return _decision(word, message.id, now)

    def changes(self):
        rows = [
            process(
                subject,
                self._versions.get(subject, 0),
                value=msgspec.json.encode({"words": self.words[subject], "lines": []}),
            )
            for subject in self._touched
        ]
        twice = [Movement(m.subject, m.id, 900, "SKU", "HERE", "on_hand", 1, "x", NOW) for m in self._poison]
        levels = [self._level] if self._movements else []
        return Changes(processes=rows, movements=[*self._movements, *twice, *twice], levels=levels)

    def _say(self, subject, text, *, whole=False):
        words = [] if whole else self.words.get(subject, [])
        self.words[subject] = [*words, text]
        self._touched[subject] = None

    def _take(self, message, word, now):
        if word.take:
            self._level = msgspec.structs.replace(self._level, on_hand=self._level.on_hand - word.take)
            self._movements.append(
                Movement(message.subject, message.id, 0, "SKU", "HERE", "on_hand", -word.take, "taken", now)
            )


def _decision(word, message, now):
    return Decision(
        outcome=word.outcome,
        events=[Event(type="said", data={"text": word.text})],
        effects=[stage(effect, held=word.held) for effect in word.effects],
        marks=[Mark(connection="partner", operation="set_values", key=key) for key in word.marks],
        timers=[Timer(kind="alarm", due_at=now + word.alarm_s * SECOND, data=b'{"text":"alarm"}')]
        if word.alarm_s
        else [],
        cases=[OpenCase(reason=word.case, text=f"look at {word.text}", about="it")] if word.case else [],
        closed=[CloseCase(reason=word.close, about="it", resolution="seen")] if word.close else [],
    )


def _decision_on(settled):
    reason = f"{settled.outcome} {settled.connection}/{settled.operation}"
    cases = (
        []
        if settled.outcome == "done"
        else [OpenCase(reason=reason, text=settled.reason or "?", effect=settled.effect)]
    )
    return Decision(events=[Event(type="settled")], cases=cases)


def stage(effect, *, held=False):
    """An effect by its short name: "operation", or "connection:operation"."""
    connection, _, operation = effect.rpartition(":")
    return Stage(
        connection=connection or "partner",
        operation=operation,
        intent=operation,
        command=msgspec.json.encode({"do": operation}),
        held_by_case=held,
    )


class Rig:
    """A pipeline over a store, run by hand. Sent in as a shop would, told as the store tells."""

    def __init__(self, store, **settings):
        self.store, self.trade, self.now = store, Trade(), NOW
        self.policy = settings.pop("policy", RetryPolicy(attempts_max=3, base_s=2.0, cap_s=10.0))
        self.pipeline = Pipeline(store, self.trade, policy=self.policy, **settings)

    # In

    def send(self, ref, text="", kind="word", *, raw=b"", source="shop", trace="a" * 32, **more):
        """One message about order `ref`; returns its receipt."""
        body = raw or msgspec.json.encode(Word(text=text, **more))
        lane = LANE_FREE if KINDS.get(kind, KINDS["word"]).overtakes else 0
        headers = {"cursor": "c1"} if kind.startswith(PAGE_PREFIX) else {}
        arrival = Arrival(
            source=source,
            kind=kind,
            body=body,
            ref_kind="order",
            ref=ref,
            lane=lane,
            headers=headers,
            trace=trace,
        )
        return self.store.accept([arrival], self.now)[0]

    def act(self, action, case, subject, *, reason="because", actor="ann", body=b"", **data):
        """An operator's word on a case."""
        if body:
            data["body"] = base64.b64encode(body).decode()
        told = OperatorAction(action=action, actor=actor, reason=reason, data={"case": case, **data})
        arrival = Arrival(
            source=HUB,
            kind=OPERATOR,
            body=msgspec.json.encode(told),
            subject=subject,
            lane=LANE_FREE,
            trace="b" * 32,
        )
        return self.store.accept([arrival], self.now)[0]

    # On

    def run(self):
        """Handle all that is due now."""
        total = 0
        while done := self.pipeline.step(self.now):
            total += done
        return total

    def later(self, seconds):
        """Let time pass, and handle what becomes due."""
        self.now += int(seconds * SECOND)
        self.store.wake(self.now)
        return self.run()

    # Out

    def words(self, receipt):
        """What the subject of a receipt has come to."""
        stored = self.store.load(Needs(orders=(receipt.subject,))).orders.get(receipt.subject)
        return [] if stored is None else msgspec.json.decode(stored.value)["words"]

    def ask(self, name, *bindings):
        reads = self.store.reads()
        try:
            return reads.rows(name, *bindings)
        finally:
            reads.close()

    def cases(self, state="open"):
        reads = self.store.reads()
        try:
            return reads.cases(after=0, state=state, limit=100)
        finally:
            reads.close()

    def story(self, receipt):
        reads = self.store.reads()
        try:
            return reads.timeline(receipt.subject)
        finally:
            reads.close()

    def waiting(self, receipt):
        """Ids of the subject's messages that are still in the inbox, with their states."""
        return {row["id"]: row["state"] for row in self.story(receipt)["inbox"]}

    def outcomes(self, receipt):
        return [row["outcome"] for row in self.story(receipt)["messages"]]

    def balance(self):
        """Per source: accepted less everything that it must be equal to."""
        return {
            source: accepted - processed - unhandled - parked - flying
            for source, accepted, processed, unhandled, _, parked, flying in self.ask("source_balance")
        }
