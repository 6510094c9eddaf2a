import json
import re
from contextlib import closing

import apsw
import pytest

from tests.cli.hub import work


def test_status_counts_what_is_there(worked):
    found = worked.json("status")
    assert found["hub"] == {"name": "test", "url": "http://127.0.0.1:9", "answers": False}
    shop = next(source for source in found["sources"] if source["source"] == "shop")
    assert shop["accepted"] == shop["processed"] + shop["unhandled"] + shop["parked"] + shop["in_flight"] == 5
    assert found["orders"]["total"] == 2
    assert sum(found["cases"].values()) >= 1
    text = worked("status").stdout
    assert "test at http://127.0.0.1:9 does not answer." in text
    assert "2 orders" in text
    assert "`crossdock cases` lists them." in text


def test_status_says_how_much_is_past_its_time_and_gone(worked):
    assert "Past their time" not in worked("status").stdout
    with closing(apsw.Connection(str(worked.folder / "data" / "crossdock.db"))) as database:
        rows = "('shop', 'bodies_expired', 1200), ('erp', 'bodies_expired', 34), ('shop', 'deliveries_expired', 5)"
        database.execute(f"insert into counter values {rows}")
    assert worked.json("status")["expired"] == {"bodies": 1234, "deliveries": 5}
    assert "Past their time, and gone: 1,234 raw bodies, 5 delivery ids." in worked("status").stdout


def test_status_tells_which_partner_is_not_well_and_ends_with_one(worked, running):
    hub, url = running
    config = worked.folder / "crossdock.toml"
    config.write_text(config.read_text().replace("port = 9", f"port = {url.rpartition(':')[2]}"))
    erp = {"name": "erp", "state": "not_answering", "text": "does not answer (7 failures)", "waiting": 2}
    well = erp | {"name": "shop", "state": "ok", "text": "is well"}
    hub.answer = lambda path, headers, body: (200, {"connections": [erp, well]})
    token = {"CROSSDOCK_TOKEN": "cdk_test"}
    assert worked.json("status", env=token, code=1)["unwell"] == [erp]
    told = worked("status", env=token)
    assert told.exit_code == 1
    assert "erp does not answer (7 failures). Calls that wait for it: 2." in told.stdout
    hub.answer = lambda path, headers, body: (200, {"connections": [well]})
    assert worked("status", env=token).exit_code == 0
    unnamed = worked("status")
    assert unnamed.exit_code == 1
    assert "erp does not get its calls: the oldest has waited" in unnamed.stdout
    assert "CROSSDOCK_TOKEN" in unnamed.stderr
    hub.answer = lambda path, headers, body: (200 if path == "/healthz" else 401, {})
    refused = worked("status", env=token)
    assert refused.exit_code == 1
    assert "The hub does not know the token" in refused.stderr


def test_a_hub_without_orders_says_so(hub):
    work(hub.folder, [])
    assert "There are no orders yet." in hub("orders").stdout


def test_orders_are_listed_newest_first(worked):
    found = worked.json("orders")
    assert [order["number"] for order in found] == ["#1002", "#1001"]
    assert found[0]["total"] == 2000
    text = worked("orders").stdout
    assert "20.00 EUR" in text
    assert "#1001" in text


def test_orders_are_filtered(worked):
    stage = worked.json("orders")[0]["stage"]
    assert len(worked.json("orders", "--stage", stage)) == 2
    assert worked.json("orders", "--stage", "done") == []
    assert len(worked.json("orders", "--connection", "shop", "--limit", "1")) == 1
    assert "No such order." in worked("orders", "--connection", "wms").stdout


def test_a_stage_that_is_none_is_told(worked):
    result = worked("orders", "--stage", "waiting-stock")
    assert result.exit_code == 2
    assert "Did you mean 'waiting_stock'?" in result.stderr


@pytest.mark.parametrize("name", ["#1002", "1002", "CD0000000002", "cd0000000002"])
def test_an_order_is_traced_by_any_of_its_names(worked, name):
    assert worked.json("trace", name)["number"] == "#1002"


def test_the_story_says_what_waits_behind_what_and_why(worked):
    story = worked.json("trace", "#1002")
    parked, behind = [wait for wait in story["waits"] if wait["case"]]
    assert behind["behind"] == parked["message"]
    text = worked("trace", "#1002").stdout
    assert "What it waits for" in text
    assert re.search(r"waits behind message \d+ \(orders/updated\), which is parked", text)
    assert "order taken" in text
    assert "time (UTC)" in text
    assert re.search(r"since 2026-03-01 \d\d:00:00 UTC", text)
    assert "2026-03-01 10:00:00" in text


def test_what_a_buyer_wrote_moves_no_cursor(worked):
    assert "\x1b" not in worked("trace", "#1001").stdout
    assert "\x1b" not in worked("cases").stdout


@pytest.mark.parametrize("name", ["CD0000000099", "#9", ""])
def test_an_order_that_is_not_there_is_told(worked, name):
    result = worked("trace", name)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_cases_are_listed_with_what_to_do(worked):
    found = worked.json("cases")
    parked = next(case for case in found if case["reason"] == "mapping")
    assert parked["field"] == "total_price"
    assert parked["waiting"] == 1
    assert parked["actions"] == ["retry", "edit", "resolve"]
    assert "total_price" in worked("cases").stdout
    assert worked.json("cases", "--state", "closed") == []


def test_a_case_is_shown_and_its_message_only_on_demand(worked):
    number = next(case["id"] for case in worked.json("cases") if case["reason"] == "mapping")
    shown = worked("cases", "show", number).stdout
    assert f"crossdock cases edit {number} --file FILE --reason WHY" in shown
    assert "secret.person" not in shown
    assert "raw" not in worked.json("cases", "show", number)
    found = worked.json("cases", "show", number, "--raw")
    assert found["raw"]["kind"] == "orders/updated"
    raw = worked("cases", "show", number, "--raw").stdout
    assert raw == found["raw"]["body"]
    assert "secret.person" in raw


def test_a_case_that_is_not_there_is_told(worked):
    result = worked("cases", "show", "999")
    assert result.exit_code == 2
    assert "There is no case 999." in result.stderr


def test_the_proof_balances(worked):
    found = worked.json("proof")
    assert found["ok"] is True
    assert {check["letter"] for check in found["checks"]} >= {"a", "b", "c", "d", "e", "f"}
    text = worked("proof").stdout
    assert "Everything balances." in text


def test_a_proof_that_does_not_balance_ends_with_one(worked):
    import apsw

    store = apsw.Connection(str(worked.folder / "data" / "crossdock.db"))
    store.execute("update counter set value = value + 1 where source = 'shop' and name = 'accepted'")
    store.close()
    assert worked.json("proof", code=1)["ok"] is False
    result = worked("proof")
    assert result.exit_code == 1
    assert "BROKEN" in result.stdout


def test_the_status_says_what_the_hub_has_found_of_its_invariants(worked):
    import apsw

    assert worked.json("status")["proof"] is None
    check = {"letter": "d", "name": "parts add up", "ok": False, "count": 1, "text": "CD0000000001 is off"}
    kept = json.dumps({"at": 1_700_000_000_000_000, "checks": [check]})
    store = apsw.Connection(str(worked.folder / "data" / "crossdock.db"))
    store.execute("insert into cursor values ('hub', 'proof', ?, 1)", (kept,))
    store.close()
    found = worked.json("status")["proof"]
    assert [broken["letter"] for broken in found["broken"]] == ["d"]
    assert "CD0000000001 is off" in worked("status").stdout


def test_looking_needs_none_of_the_partners_secrets(worked):
    (worked.folder / "crossdock.toml").write_text(
        '[hub]\nname = "test"\n[connections.shop]\nconnector = "gone"\n'
    )
    assert len(worked.json("orders")) == 2
    assert worked.json("trace", "#1001")["number"] == "#1001"
