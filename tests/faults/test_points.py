"""On PostgreSQL each role is killed, and frozen past its lease, at every named crash point that it reaches."""

import contextlib
import signal
import threading

import psutil
import psycopg
import pytest

from crossdock.engine import crash
from tests.bootstrap.waiting import eventually
from tests.faults.roles import QuickHubs, Shared
from tests.servers import PostgresServer

pytestmark = [pytest.mark.serial, pytest.mark.slow, pytest.mark.timeout(120)]

REACHED = {
    "gateway": (crash.INTAKE_BEFORE_COMMIT, crash.INTAKE_COMMITTED),
    "worker": (crash.BATCH_CLAIMED, crash.BATCH_DECIDED, crash.BATCH_BEFORE_COMMIT, crash.BATCH_COMMITTED),
    "dispatcher": (
        crash.MARKS_CLAIMED,
        crash.MARKS_ANSWERED,
        crash.EFFECTS_CLAIMED,
        crash.EFFECT_BEFORE_SEND,
        crash.EFFECT_ANSWERED,
        crash.SETTLE_BEFORE_COMMIT,
        crash.SETTLED,
    ),
}
ROLE = {point: role for role, points in REACHED.items() for point in points}
NOT_THERE = {crash.CHECKPOINT}
"""SQLite's own: its log is moved into its file. PostgreSQL does that by itself."""
REFUSED = (
    crash.BATCH_CLAIMED,
    crash.BATCH_DECIDED,
    crash.BATCH_BEFORE_COMMIT,
    crash.EFFECTS_CLAIMED,
    crash.SETTLE_BEFORE_COMMIT,
    crash.SETTLED,
)
"""Whoever wakes here has something to write, and is told that it is another's by now."""
TOLD = ("has taken over", "The database was away")
"""A lease that is gone, or a transaction that the server has ended meanwhile."""
TRANSACTION_ENDS_S = 3.5
"""Longer than the store lets a transaction stand idle, and than a lease that is not renewed."""
KILLED = (
    (crash.MARKS_CLAIMED, crash.BATCH_CLAIMED),
    (crash.MARKS_ANSWERED, crash.BATCH_DECIDED),
    (crash.EFFECTS_CLAIMED, crash.BATCH_BEFORE_COMMIT),
    (crash.EFFECT_BEFORE_SEND, crash.BATCH_COMMITTED),
    (crash.EFFECT_ANSWERED, crash.INTAKE_BEFORE_COMMIT),
    (crash.SETTLE_BEFORE_COMMIT, crash.INTAKE_COMMITTED),
    (crash.SETTLED,),
)
"""Who dies together."""
ALONE = (crash.MARKS_CLAIMED, crash.MARKS_ANSWERED)
"""Few connections have marks, so that who is to reach these is the only dispatcher."""
FROZEN = (
    (crash.MARKS_CLAIMED, crash.BATCH_CLAIMED, crash.BATCH_DECIDED),
    (crash.MARKS_ANSWERED, crash.BATCH_BEFORE_COMMIT, crash.BATCH_COMMITTED),
    (crash.EFFECTS_CLAIMED, crash.EFFECT_BEFORE_SEND),
    (crash.EFFECT_ANSWERED, crash.SETTLE_BEFORE_COMMIT, crash.SETTLED),
)
"""Who is frozen together. A gateway holds no lease; it is frozen by itself."""
NTH = 2
GATEWAY, WORKER, DISPATCHER = "gateway-0", "worker-1", "dispatcher-3"
ORPHANED = """\
select count(*) from lease where kind = any(%s) and not exists (
  select 1 from member m where m.kind = lease.kind and m.owner = lease.owner and m.until > clock_timestamp())
"""
ALIVE = "select kind, count(*) from member where kind = any(%s) and until > clock_timestamp() group by kind"
KINDS = ["inbox", "connection"]


class Pointed(Shared):
    """Roles of a world of their own; the dispatcher that lasts is begun by the test."""

    hubs, patience_s = QuickHubs, 1.0
    roles = ("gateway", "worker", "scheduler")

    def arm(self, point, variable):
        """Begin one more of the role that reaches a point, for this to happen to it there; its name."""
        role = ROLE[point]
        if role == "gateway":
            self.hub.forget(GATEWAY).end(signal.SIGTERM)
        self.hub.launch(point, role, **{variable: f"{point}:{NTH}"})
        return point

    def begin(self, name):
        """Begin one that lasts, where none is."""
        if name not in self.hub.parts:
            self.hub.begin(name, name.split("-")[0])

    def leave(self, name):
        """Stop one that lasts, where there is one."""
        if name in self.hub.parts:
            assert self.hub.forget(name).end(signal.SIGTERM) == 0

    def taken_over(self):
        """Whether everything that is leased is held by the one worker and the one dispatcher that last."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            alive = dict(connection.execute(ALIVE, (KINDS,)).fetchall())
            orphaned = connection.execute(ORPHANED, (KINDS,)).fetchone()[0]
        return alive == dict.fromkeys(KINDS, 1) and not orphaned

    def status(self, name):
        """How a process is; "" where it has ended."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.hub.pid(name)).status()
        return ""

    def balanced(self):
        """All is settled, once each, and the books balance; the roles go on."""
        self.settled()
        eventually(lambda: not self.waits(), 20)
        self.check_partners()
        self.check_hub()

    def waits(self):
        """Messages and effects that are not done with."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(
                "select (select count(*) from inbox) + (select count(*) from outbox)"
            ).fetchone()[0]

    @contextlib.contextmanager
    def trading(self):
        """Orders come in for as long as the body takes."""
        over = threading.Event()

        def send():
            while not over.is_set():
                self.send(1)
                over.wait(0.1)

        senders = [threading.Thread(target=send) for _ in range(2)]
        for sender in senders:
            sender.start()
        try:
            yield
        finally:
            over.set()
            for sender in senders:
                sender.join(60)


@pytest.fixture(scope="module")
def server():
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def shop(server, tmp_path_factory):
    made = Pointed(tmp_path_factory.mktemp("points"), server.database())
    try:
        made.start()
        made.stock()
        yield made
    finally:
        for name in made.hub.parts:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(made.hub.pid(name)).resume()
        made.close()


def test_a_role_reaches_every_point_but_those_of_sqlite_alone():
    assert set(ROLE) | NOT_THERE == set(crash.POINTS)


@pytest.mark.fault(1)
@pytest.mark.fault(2)
@pytest.mark.fault(3)
def test_killed_at_every_point_that_a_role_reaches_nothing_is_lost_and_nothing_is_done_twice(shop):
    assert sorted(point for points in KILLED for point in points) == sorted(ROLE)
    with shop.trading():
        for points in KILLED:
            if set(points) & set(ALONE):
                shop.leave(DISPATCHER)
            else:
                shop.begin(DISPATCHER)
            for point in points:
                shop.arm(point, "CROSSDOCK_CRASH_AT")
            for point in points:
                eventually(lambda at=point: not shop.status(at) or not shop.hub.parts[at][1].alive, 20)
                assert shop.hub.forget(point).end() == -signal.SIGKILL
            shop.begin(GATEWAY)
    shop.balanced()


@pytest.mark.fault(11)
def test_frozen_at_every_point_until_another_has_its_work_it_wakes_and_does_nothing_twice(shop):
    assert sorted(point for points in FROZEN for point in points) == sorted(
        REACHED["worker"] + REACHED["dispatcher"]
    )
    with shop.trading():
        for points in FROZEN:
            if set(points) & set(ALONE):
                shop.leave(DISPATCHER)
            else:
                shop.begin(DISPATCHER)
            for point in points:
                shop.arm(point, "CROSSDOCK_FREEZE_AT")
            for point in points:
                eventually(
                    lambda at=point: shop.status(at) == psutil.STATUS_STOPPED, 20, told=lambda at=point: at
                )
            shop.begin(DISPATCHER)
            eventually(shop.taken_over, 15)
            for point in points:
                psutil.Process(shop.hub.pid(point)).resume()
            for point in points:
                woken = shop.hub.parts[point][1]
                if point in REFUSED:
                    eventually(lambda at=woken: any(map(at.log.read_text().count, TOLD)), 10)
                assert shop.hub.forget(point).end(signal.SIGTERM) == 0
    shop.balanced()


@pytest.mark.fault(11)
def test_a_gateway_frozen_on_either_side_of_its_commit_takes_every_order_once(shop):
    shop.begin(DISPATCHER)
    with shop.trading():
        for point in REACHED["gateway"]:
            shop.arm(point, "CROSSDOCK_FREEZE_AT")
            eventually(lambda at=point: shop.status(at) == psutil.STATUS_STOPPED, 20)
            threading.Event().wait(1.5 * shop.patience_s)
            psutil.Process(shop.hub.pid(point)).resume()
            threading.Event().wait(0.3)
            assert shop.hub.forget(point).end(signal.SIGTERM) == 0
            shop.begin(GATEWAY)
    shop.balanced()
