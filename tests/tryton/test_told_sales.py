"""Sales of a running Tryton as its feed tells them: ours and those of another integration, none lost, and held against orders."""

from datetime import UTC, datetime, timedelta

import pytest

from crossdock.bootstrap.hub import Hub
from crossdock.config import load_config
from crossdock.config.keys import read_key
from crossdock.connectors.tryton import cursors, told
from crossdock.engine.messages import Arrival, subject_id
from crossdock.errors import RejectedError
from crossdock.model.commands import AmendSale, Poll
from crossdock.sdk.calls import Done, Intent
from crossdock.testing import tryton
from tests.cli.conftest import Cli
from tests.cli.hub import CONFIG, SECRETS, order, work
from tests.model.builders import make_line
from tests.tryton.test_adopting import made_by_others
from tests.tryton.test_feeds import NOW, read
from tests.tryton.test_goods import cents, off, order_of, sell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

REFERENCES = "{#number}=shop, M-{order} of market=market"


def sold_by_others(erp, id_, reference, **kwargs):
    return made_by_others(erp, order_of(id_, make_line("1", price=2000, percent=19)), reference, **kwargs)


def postings(erp, cursor="", **settings):
    """What the feed tells from a cursor on, by document; and the cursor of the next pass."""
    connector = erp.connector(**{"references": REFERENCES, "page_size": "2", **settings})
    found, cursor = read(erp, connector, "sales", cursor)
    return {report.posting.document: report.posting for _, report in found}, cursor


def number_of(erp, sale):
    (row,) = erp.read.rows("sale.sale", [["id", "=", sale]], "number")
    return row["number"]


def children(erp, connector):
    page = erp.do(connector.poll(Poll(feed="sales"), Intent(key="poll", now=NOW)))
    return list(connector.split(page.kind, page.body))


def test_each_sale_is_about_the_order_that_its_reference_names(erp):
    named = number_of(erp, sold_by_others(erp, "TS1", "#4711"))
    sell(erp, order_of("M-302-77", connection="market"))
    sold_by_others(erp, "TS3", "M-302-78")
    foreign = number_of(erp, sold_by_others(erp, "TS4", "counter 9"))
    ours = subject_id(77)
    sell(erp, order_of(ours))
    known, _ = postings(erp)
    by_ref = {
        (p.order_ref.connection, p.order_ref.kind, p.order_ref.id): p for p in known.values() if p.order_ref
    }
    assert set(by_ref) == {("shop", "number", "#4711"), ("market", "order", "302-77")}
    told_sale = by_ref["shop", "number", "#4711"]
    (row,) = erp.read.rows("sale.sale", [["number", "=", named]], "total_amount")
    assert (told_sale.document, told_sale.state) == (named, "posted")
    assert (cents(told_sale.erp_total), told_sale.currency) == (row["total_amount"], "EUR")
    assert timedelta(0) <= datetime.now(UTC) - told_sale.posted_at < timedelta(minutes=10)
    assert foreign not in known
    found = children(erp, erp.connector(references=REFERENCES))
    assert ("hub", ours, "") in {(child.ref_kind, child.ref, child.ref_source) for child in found}


def test_what_became_of_a_sale_is_told_again_and_what_stayed_is_not(erp):
    drafted = number_of(erp, sold_by_others(erp, "TA1", "#4801"))
    order_id = subject_id(78)
    sell(erp, order_of(order_id, make_line("1", ordered=2, price=1990, percent=19)))
    (before,) = erp.read.sales(order_id)
    kept, cursor = postings(erp)
    assert {kept[drafted].state, kept[before["number"]].state} == {"posted"}
    amended = order_of(order_id, make_line("1", ordered=1, price=1990, percent=19))
    command = AmendSale(order=amended, order_id=order_id)
    assert isinstance(off(erp, erp.connector().amend_sale, command, f"amend/{order_id}"), Done)
    planned = sold_by_others(erp, "TA2", "#4802", process=False)
    erp.read.call("model.sale.sale.quote", [planned])
    gone = sold_by_others(erp, "TA3", "#4803", process=False)
    erp.read.call("model.sale.sale.quote", [gone])
    erp.read.call("model.sale.sale.cancel", [gone])
    again, _ = postings(erp, cursor)
    states = {
        name: again[name].state for name in (before["number"], number_of(erp, planned), number_of(erp, gone))
    }
    assert list(states.values()) == ["reversed", "planned", "reversed"]
    assert again[erp.read.sale(order_id)["number"]].state == "posted"
    connector = erp.connector(references=REFERENCES)
    one, two = children(erp, connector), children(erp, connector)
    assert [child.delivery_id for child in one] == [child.delivery_id for child in two]


@pytest.mark.fault(27)
@pytest.mark.parametrize("feed", ["sales", "products"])
def test_what_changes_behind_a_pass_is_told_by_the_next_one(erp, monkeypatch, feed):
    monkeypatch.setattr(cursors, "OVERLAP", timedelta(0))
    monkeypatch.setattr(told, "OVERLAP", timedelta(0))
    for n in range(3):
        sold_by_others(erp, f"{feed}-{n}", f"#5{n}-{feed}")
    connector = erp.connector(references=REFERENCES, page_size="2")
    model = "sale.sale" if feed == "sales" else "product.template"
    field = "description" if feed == "sales" else "name"
    domain = [["number", "!=", None]] if feed == "sales" else [["products.code", "!=", None]]
    ids = [row["id"] for row in erp.read.rows(model, domain, "id")]
    page = erp.do(connector.poll(Poll(feed=feed), Intent(key="poll", now=NOW)))
    assert page.more
    if feed == "sales":
        ids = [
            row["id"] for row in erp.read.rows(model, [*domain, ["reference", "like", f"#5%-{feed}"]], "id")
        ]
    erp.read.call(f"model.{model}.write", [ids[0]], {field: f"Changed behind {feed}"})
    erp.read.call(f"model.{model}.write", [ids[-1]], {field: f"Changed before {feed}"})
    _, cursor = read(erp, connector, feed, page.cursor)
    again, _ = read(erp, connector, feed, cursor)
    if feed == "sales":
        number = number_of(erp, ids[0])
        assert number in {report.posting.document for _, report in again}
    else:
        assert "Changed behind products" in {report.product.name for _, report in again}


def test_sales_are_read_from_a_time_on(erp):
    sold_by_others(erp, "TZ1", "#4901")
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert postings(erp, sales_since=later)[0] == {}


def test_whose_sales_they_are_must_be_said(erp):
    with pytest.raises(RejectedError, match="references"):
        read(erp, erp.connector(), "sales")


ERP_SECTION = """\
connector = "tryton"
url = "{url}"
user = "{user}"
password = "${{ERP_TOKEN}}"
feeds = ["sales"]
poll_every_s = 60
page_size = "2"
[connections.erp.references]
"{{#number}}" = "shop"
"""


def test_what_the_present_integration_does_otherwise_in_tryton_is_told_in_money(erp, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli = Cli(tmp_path)
    section = ERP_SECTION.format(url=erp.server.url, user=tryton.USER)
    text = CONFIG.replace('connector = "erp"\nurl = "http://127.0.0.1:9"\ntoken = "${ERP_TOKEN}"\n', section)
    text = text.replace('connector = "shopify"\n', 'connector = "shopify"\nmode = "observe"\n')
    (tmp_path / "crossdock.toml").write_text(text)
    assert cli("init").exit_code == 0
    placed = datetime.now(UTC).isoformat()
    numbers = (6001, 6002, 6003, 6004)
    work(
        tmp_path,
        [("orders/create", {**order(n), "created_at": placed, "processed_at": placed}) for n in numbers],
    )
    for number, price in ((6001, 1505), (6002, 1504), (6003, 1505)):  # and 4.95 of shipping
        sale = made_by_others(erp, order_of("C", make_line("1", price=price, percent=19)), f"#{number}")
    (twice,) = erp.read.call("model.sale.sale.copy", [sale], {"reference": "#6003"})
    for step in ("quote", "confirm"):
        erp.read.call(f"model.sale.sale.{step}", [twice])
    found = polled(erp, tmp_path, cli)
    assert [(f["kind"], f["number"], f["amount"]) for f in found["findings"]] == [
        ("missing", "#6004", 2000),
        ("doubled", "#6003", 2000),
        ("total", "#6002", -1),
    ]
    assert (found["orders"], found["agree"]) == (4, 1)


def polled(erp, folder, cli):
    """Read the feed as a schedule does, decide on it, and compare."""
    secrets = {**SECRETS, "ERP_TOKEN": tryton.PASSWORD}
    config = load_config(folder / "crossdock.toml", secrets)
    connector = erp.connector(
        **{k: v for k, v in config.connections["erp"].settings.items() if k in ("references", "page_size")}
    )
    hub = Hub(config, master_key=read_key(config.hub.key))
    later = int((datetime.now(UTC) + timedelta(hours=2)).timestamp()) * 1_000_000
    cursor, more = "", True
    try:
        while more:
            page = erp.do(connector.poll(Poll(feed="sales", cursor=cursor), Intent(key="poll", now=NOW)))
            cursor, more = page.cursor, page.more
            headers = {"cursor": cursor, "more": ""}
            arrival = Arrival(
                source="erp", kind=page.kind, body=page.body, headers=headers, ref_kind="feed", ref="sales"
            )
            hub.store.accept([arrival], later)
            while hub.pipeline.step(later):
                pass
    finally:
        hub.store.close()
    return cli.json("compare", code=1)
