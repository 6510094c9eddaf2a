import json

import pytest

from crossdock.config.registry import BUILT_IN
from tests.cli.hub import delivery, order


def write(cli, name, value):
    path = cli.folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_bare_body_is_told_by_its_kind(cli):
    path = write(cli, "order.json", order(1001))
    result = cli("translate", "--connector", "shopify", "--kind", "orders/create", "--json", path)
    assert result.exit_code == 0, result.output
    [line] = lines(result)
    assert (line["file"], line["ok"]) == (str(path), True)
    assert line["objects"][0]["type"] == "order.reported"
    assert line["objects"][0]["order"]["buyer_total"] == 2000


def test_a_recorded_delivery_is_told_by_its_headers(cli):
    path = write(cli, "order.json", delivery(order(1001)))
    [line] = lines(cli("translate", "--connector", "shopify", "--json", path))
    assert line["ok"] is True


def test_headers_that_are_recorded_as_lists_are_their_values(cli):
    recorded = delivery(order(1001))
    recorded["headers"] = {name: [value] for name, value in recorded["headers"].items()}
    [line] = lines(cli("translate", "--connector", "shopify", "--json", write(cli, "lists.json", recorded)))
    assert line["ok"] is True, line


def test_a_payload_that_is_not_understood_names_the_field(cli):
    value = order(1001)
    del value["line_items"][0]["quantity"]
    good, bad = write(cli, "good.json", order(1)), write(cli, "bad.json", value)
    result = cli("translate", "--connector", "shopify", "--kind", "orders/create", "--json", good, bad)
    assert result.exit_code == 1
    first, second = lines(result)
    assert first["ok"] is True
    assert (second["ok"], second["error"]["kind"]) == (False, "mapping")
    assert second["error"]["field"] == "line_items[0].quantity"
    assert set(second) == {"file", "ok", "error"}


@pytest.mark.fault(47)
@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\0", '{"id":1,"id":2}', "[" * 5000])
def test_no_payload_ends_in_a_traceback(cli, text):
    path = write(cli, "x.json", text)
    result = cli("translate", "--connector", "shopify", "--kind", "orders/create", "--json", path)
    assert result.exit_code == 1
    assert lines(result)[0]["error"]["message"]


def test_a_file_that_is_not_there_is_one_line_among_others(cli):
    good = write(cli, "good.json", order(1))
    result = cli(
        "translate", "--connector", "shopify", "--kind", "orders/create", "--json", cli.folder / "none", good
    )
    assert result.exit_code == 1
    assert [(line["ok"]) for line in lines(result)] == [False, True]


def test_people_get_the_objects_on_stdout_and_the_rest_on_stderr(cli):
    good, bad = write(cli, "good.json", order(1)), write(cli, "bad.json", "{")
    result = cli("translate", "--connector", "shopify", "--kind", "orders/create", good, bad)
    assert json.loads(result.stdout)["order"]["external_id"] == "1"
    assert "good.json: 1 object" in result.stderr
    assert "bad.json: mapping: " in result.stderr
    assert "1 of 2 understood." in result.stderr


def ticket(number, kind="card"):
    return {
        "store": "store-1",
        "till": "T1",
        "sequence": number,
        "at": "2026-03-01T10:00:00Z",
        "currency": "EUR",
        "lines": [{"quantity": 1, "gross": 500, "sku": "MUG"}],
        "tenders": [{"kind": kind, "amount": 500}],
        "total": 500,
    }


def test_an_upload_is_told_ticket_by_ticket(cli):
    upload = {"upload": "U1", "store": "store-1", "tickets": [ticket(1), ticket(2)]}
    path = write(cli, "upload.json", upload)
    [line] = lines(cli("translate", "--connector", "till", "--kind", "tickets", "--json", path))
    assert [report["ticket"]["sequence"] for report in line["objects"]] == [1, 2]


@pytest.mark.parametrize(("count", "wrong"), [(3, 1), (120, 77)])
def test_a_ticket_of_an_upload_that_is_not_understood_is_named_with_its_field(cli, count, wrong):
    tickets = [ticket(n, "Karte" if n == wrong else "card") for n in range(count)]
    path = write(cli, "upload.json", {"upload": "U1", "store": "store-1", "tickets": tickets})
    result = cli("translate", "--connector", "till", "--kind", "tickets", "--json", path)
    assert result.exit_code == 1
    assert lines(result)[0]["error"]["field"] == f"tickets[{wrong}].tenders[0].kind"


def test_settings_are_given_by_name(cli):
    path = write(
        cli, "x.json", {"id": 1, "order_id": 2, "kind": "sale", "status": "success", "amount": "1.00"}
    )
    arguments = ("translate", "--connector", "shopify", "--kind", "order_transactions/create", "--json", path)
    assert lines(cli(*arguments))[0]["error"]["field"] == "currency"
    assert lines(cli(*arguments, "--set", "currency=EUR"))[0].get("error", {}).get("field") != "currency"


@pytest.mark.parametrize("pair", ["currency", "curency=EUR"])
def test_a_setting_that_is_none_is_told(cli, pair):
    path = write(cli, "x.json", "{}")
    result = cli("translate", "--connector", "shopify", "--set", pair, path)
    assert result.exit_code == 2
    assert "write NAME=VALUE with one of url," in result.stderr


def test_a_connector_that_is_none_is_told(cli):
    result = cli("translate", "--connector", "shopfiy", write(cli, "x.json", "{}"))
    assert result.exit_code == 2
    assert "Did you mean 'shopify'?" in result.stderr


def test_the_example_is_understood(cli, repository):
    [line] = lines(
        cli(
            "translate",
            "--connector",
            "shopify",
            "--json",
            repository / "examples/deliveries/order_created.json",
        )
    )
    order = line["objects"][0]["order"]
    assert (order["number"], order["buyer_total"]) == ("#1001", 4470)


def test_every_vendors_sample_is_understood_or_told_why_not(cli, shared):
    samples = sorted((shared / "specs" / "shopify").rglob("*.json"))
    found = lines(cli("translate", "--connector", "shopify", "--json", *samples))
    assert [line["file"] for line in found] == list(map(str, samples))
    assert sum(line["ok"] for line in found) > 60
    for line in found:
        assert line["ok"] or (
            line["error"]["kind"] and line["error"]["field"] and line["error"]["message"]
        ), line


def test_connectors_are_listed_and_told(cli):
    assert [spec["name"] for spec in cli.json("connectors")] == sorted(BUILT_IN)
    assert "Warehouse over plain REST" in cli("connectors").stdout
    told = cli("connectors", "wms").stdout
    for word in ("webhook_secret", "secret, required", "cancel_release", "shipment.created", "16 at a time"):
        assert word in told
    assert cli.json("connectors", "wms")["name"] == "wms"


def test_a_connector_that_is_not_there_is_told_with_the_nearest(cli):
    result = cli("connectors", "wsm")
    assert result.exit_code == 2
    assert "Did you mean 'wms'?" in result.stderr
