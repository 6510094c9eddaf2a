"""A real hub on a folder of its own, served over loopback, and a client that speaks plain HTTP to it."""

import http.client
import json
import threading
import time
from contextlib import contextmanager

from crossdock.bootstrap.hub import Hub
from crossdock.config import keys, load_config
from crossdock.gateway.server import HubServer
from crossdock.sdk.webhooks import sign

WAIT_S = 20.0
ENVIRON = {"TOKEN": "partner-token", "SECRET": "partner-secret"}
CONFIG = """\
[hub]
name = "test"
[connections.warehouse]
connector = "wms"
url = "http://127.0.0.1:9"
token = "${TOKEN}"
webhook_secret = "${SECRET}"
[connections.erp]
connector = "erp"
url = "http://127.0.0.1:9"
token = "${TOKEN}"
[connections.tills]
connector = "till"
webhook_secret = "${SECRET}"
[routes.tills]
erp = "erp"
post = "day"
[locations.store-1]
zone = "Europe/Berlin"
stocked = false
[routes.api]
erp = "erp"
locations = ["main"]
[locations.main]
warehouse = "warehouse"
partner_code = "MAIN"
[limits]
body_bytes_max = 65536
[policies]
unknown_sku = "accept"
day_settle_s = 0
[policies.retries]
base_s = 3600
cap_s = 3600
"""
"""Nobody answers at port 9: what partners are asked for stays visible."""


class Reply:
    """An answer: its status, headers in lower case, body, and the body as JSON."""

    def __init__(self, reply):
        self.status = reply.status
        self.headers = {name.lower(): value for name, value in reply.getheaders()}
        self.cookies = [value for name, value in reply.getheaders() if name.lower() == "set-cookie"]
        self.body = reply.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class Api:
    """Speaks to a served hub, with its token unless it is told otherwise."""

    def __init__(self, hub, port, token):
        self.hub, self.port, self.token = hub, port, token

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"authorization": f"Bearer {self.token}"} | headers
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers = {"content-type": "application/json"} | headers
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.putrequest(method, path)
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, body=None, **headers):
        return self.ask("POST", path, body, **headers)

    def order(self, key, **fields):
        """Post an order under a key, and return its id once it is decided on."""
        reply = self.post("/v1/orders", order(**fields), idempotency_key=key)
        assert reply.status == 202, reply.text
        self.until(lambda: self.get(f"/v1/orders/{reply.json['id']}").json["summary"]["stage"] != "unknown")
        return reply.json["id"]

    def parked(self, name):
        """Post an order that does not add up and a change that waits behind it; return its id and case."""
        wrong = order(external_id=name, number=f"#{name}", buyer_total=2100)
        id_ = self.post("/v1/orders", wrong, idempotency_key=f"{name}-1").json["id"]
        self.post("/v1/orders", wrong | {"version": "2"}, idempotency_key=f"{name}-2")
        return id_, self.until(lambda: self.cases(id_))[0]

    def cases(self, id_, state="open"):
        """Cases of an order."""
        found = self.get(f"/v1/cases?state={state}&limit=200").json["cases"]
        return [case for case in found if case["order"] == id_]

    def deliver(self, connection, kind, body):
        """Post a signed event, as a warehouse does."""
        body = json.dumps(body).encode()
        return self.post(
            f"/in/{connection}",
            body,
            authorization=None,
            x_crossdock_event=kind,
            x_crossdock_signature=sign(ENVIRON["SECRET"], body),
        )

    def store_day(self, number, *, stated):
        """A day of store-1 with a ticket of 20.00 EUR, closed with what its Z report states; return its id."""
        date = f"2026-03-{number:02d}"
        at = f"{date}T10:00:00Z"
        ticket = {
            "store": "store-1",
            "till": "T1",
            "sequence": number,
            "business_date": date,
            "currency": "EUR",
            "at": at,
            "lines": [{"sku": "MUG", "quantity": 2, "gross": 2000}],
            "tenders": [{"kind": "cash", "amount": 2000}],
            "total": 2000,
        }
        till = {
            "till": "T1",
            "tickets": 1,
            "tenders": [{"kind": "cash", "expected": stated, "counted": stated}],
        }
        close = {"store": "store-1", "business_date": date, "at": at, "currency": "EUR", "tills": [till]}
        for kind, body in (("ticket", ticket), ("day.closed", close)):
            assert self.deliver("tills", kind, body).status == 200
        listed = self.until(lambda: self.get(f"/v1/orders?number=store-1/{date}").json["orders"])
        id_ = listed[0]["id"]
        self.until(lambda: (self.get(f"/v1/orders/{id_}").json["day"] or {}).get("tickets"))
        return id_

    def until(self, question):
        """The answer, once there is one."""
        end = time.monotonic() + WAIT_S
        pause = threading.Event()
        while not (found := question()):
            assert time.monotonic() < end, "it did not come to pass"
            pause.wait(0.02)
        return found


def line(name="1", *, sku="MUG", ordered=2, price=1000):
    total = ordered * price
    return {
        "id": name,
        "sku": sku,
        "ordered": ordered,
        "current": ordered,
        "unit_price": {"value": price, "scale": 2},
        "extended": total,
        "net": total,
        "tax": 0,
        "gross": total,
    }


def order(**fields):
    plain = {
        "connection": "api",
        "external_id": "A-1",
        "version": "1",
        "currency": "EUR",
        "lines": [line()],
        "buyer_total": 2000,
    }
    return plain | fields


@contextmanager
def served(folder, hub_more="", database=""):
    """A hub in `folder`, running and served, until the end; on a database where the address of one is given."""
    data = folder / "data"
    data.mkdir()
    keys.make_key(data / "key")
    token = keys.add_token(data / "tokens", "Ann")
    if database:
        hub_more += f'database = "{database}"'
    (folder / "crossdock.toml").write_text(CONFIG.replace('name = "test"', f'name = "test"\n{hub_more}'))
    config = load_config(folder / "crossdock.toml", ENVIRON)
    hub = Hub(config, master_key=keys.read_key(config.hub.key))
    server = HubServer(hub, port=0)
    hub.start()
    hub.run_beside("http", server.run)
    api = Api(hub, server.port, token)
    try:
        api.until(lambda: _answers(api))
        yield api
    finally:
        hub.stop()


def _answers(api):
    try:
        return api.get("/healthz").status == 200
    except OSError:
        return False
