"""`crossdock check` tells a cause, and not what follows from it; and what would be silently wrong."""

import sys
import types

import msgspec
import pytest

from crossdock.config import ConfigurationErrors, Registry, load_config
from crossdock.config.registry import BUILT_IN
from crossdock.connectors import erp

ENVIRON = {"T": "token-1", "S": "secret-1"}
SHOP = (
    '[connections.shop]\nconnector = "shopify"\nurl = "http://127.0.0.1:9300"\naccess_token = "${T}"\n'
    'webhook_secret = "${S}"\n'
)
WMS = '[connections.wms1]\nconnector = "wms"\nurl = "http://127.0.0.1:9100"\ntoken = "${T}"\nwebhook_secret = "${S}"\n'
ERP = '[connections.erp1]\nconnector = "erp"\nurl = "http://127.0.0.1:9200"\ntoken = "${T}"\n'
TILLS = '[connections.tills]\nconnector = "till"\nwebhook_secret = "${S}"\n'
ROUTES = '[routes.shop]\nerp = "erp1"\nlocations = ["berlin"]\n[routes.tills]\nerp = "erp1"\n'
BERLIN = '[locations.berlin]\nwarehouse = "wms1"\nzone = "Europe/Berlin"\n'
STORES = "".join(f'[locations.store-{n:02d}]\nzone = "Europe/Berlin"\n' for n in range(1, 41))
WHOLE = SHOP + WMS + ERP + TILLS + ROUTES + BERLIN + STORES


def told(tmp_path, text, registry=None):
    path = tmp_path / "crossdock.toml"
    path.write_text(text)
    try:
        found = load_config(path, ENVIRON, registry or Registry(installed=False)).warnings
    except ConfigurationErrors as errors:
        found = errors.problems
    return [f"{p.severity} {p.field}: {p.message} {p.remedy}" for p in found]


def test_a_retailer_with_forty_stores_leaves_no_doubt(tmp_path):
    assert told(tmp_path, WHOLE) == []


def test_tills_without_a_route_are_told_once(tmp_path):
    assert told(tmp_path, WHOLE.replace('[routes.tills]\nerp = "erp1"\n', "")) == [
        "warning connections.tills: it has no route: its tickets park. Add [routes.tills]."
    ]


def test_a_shop_without_a_route_is_told_alone(tmp_path):
    text = WHOLE.replace('[routes.shop]\nerp = "erp1"\nlocations = ["berlin"]\n', "")
    assert told(tmp_path, text) == [
        "warning connections.shop: it has no route: its orders park. Add [routes.shop]."
    ]


def test_nothing_follows_from_a_misspelt_table_and_a_wrong_connector(tmp_path):
    text = WHOLE.replace("[routes.shop]", "[route.shop]").replace('"till"', '"tlil"')
    assert told(tmp_path, text.replace('[routes.tills]\nerp = "erp1"\n', "")) == [
        "error connections.tills.connector: There is no connector 'tlil'. Did you mean 'till'?",
        "error route: there is no such key. Did you mean 'routes'?",
    ]


@pytest.mark.parametrize("table", ["connections", "locations"])
def test_nothing_is_said_to_be_missing_where_its_table_is_misspelt(tmp_path, table):
    text = WHOLE.replace(f"[{table}.", f"[{table[:-1]}.")
    assert told(tmp_path, text) == [f"error {table[:-1]}: there is no such key. Did you mean '{table}'?"]


def test_a_misspelt_location_is_told_where_it_is_named(tmp_path):
    found = told(tmp_path, WHOLE.replace('["berlin"]', '["store-1", "berlni"]'))
    assert found == [
        "error routes.shop.locations[0]: there is no location 'store-1'. Did you mean 'store-01'?",
        "error routes.shop.locations[1]: there is no location 'berlni'. Did you mean 'berlin'?",
    ]


def test_locations_that_no_route_leads_to_are_one_line(tmp_path):
    text = SHOP + WMS + ERP + ROUTES.partition("[routes.tills]")[0] + BERLIN + STORES
    assert told(tmp_path, text) == [
        (
            "warning locations: no route leads to store-01, store-02, store-03, store-04, store-05 and 35 more. Add them to "
            "the locations of a route; stores that only sell need a connection to their tills instead."
        )
    ]


def test_stores_without_a_zone_are_one_line(tmp_path):
    zone = 'zone = "Europe/Berlin"\n'
    assert told(tmp_path, WHOLE.replace(f"[locations.store-07]\n{zone}", "[locations.store-07]\n")) == [
        (
            "warning locations.store-07: it has no zone: business dates of its tickets are those of UTC. "
            'Add zone = "Europe/Berlin", or where it is.'
        )
    ]
    found = told(tmp_path, WHOLE.replace(STORES, STORES.replace(zone, "")))
    assert len(found) == 1
    assert found[0].startswith(
        "warning locations: store-01, store-02, store-03, store-04, store-05 and 35 more have no zone:"
    )


@pytest.mark.parametrize("mode", ["live", "adopt"])
def test_what_is_sold_for_earnest_into_an_erp_that_is_observed_is_a_doubt(tmp_path, mode):
    text = WHOLE.replace(ERP, ERP + 'mode = "observe"\n').replace(TILLS, f'{TILLS}mode = "{mode}"\n')
    text = text.replace(SHOP, SHOP + 'mode = "observe"\n')
    assert told(tmp_path, text) == [
        (
            f"warning routes.tills.erp: tills is on {mode} and erp1 on observe: what tills sells is booked nowhere. "
            'Write mode = "live" in [connections.erp1], or mode = "observe" in [connections.tills].'
        )
    ]


def test_orders_of_the_api_are_always_live(tmp_path):
    text = WHOLE + '[routes.api]\nerp = "erp2"\nlocations = ["berlin"]\n'
    text += ERP.replace("erp1", "erp2") + 'mode = "observe"\n'
    assert told(tmp_path, text) == [
        (
            "warning routes.api.erp: api is on live and erp2 on observe: what api sells is booked nowhere. "
            'Write mode = "live" in [connections.erp2].'
        )
    ]


@pytest.mark.parametrize(("setting", "unused"), [('price = "shop"', True), ('cancellation = "hub"', True)])
def test_authority_that_nothing_acts_on_is_a_doubt(tmp_path, setting, unused):
    key = setting.partition(" ")[0]
    assert told(tmp_path, f"{WHOLE}[authority]\n{setting}\n") == [
        f"warning authority.{key}: it is read, and nothing acts on it yet. Take it out, and do not count on it."
    ]


@pytest.mark.parametrize(("name", "role"), [("tills", "till"), ("shop", "channel")])
def test_who_sells_stock_is_no_master_of_it(tmp_path, name, role):
    assert told(tmp_path, f'{WHOLE}[authority]\nstock = "{name}"\n') == [
        f"warning authority.stock: {name!r} is a {role}, and no master of stock. Name wms1, erp1 or hub."
    ]
    assert told(tmp_path, f'{WHOLE}[authority]\nstock = "sap"\n') == [
        "error authority.stock: there is no connection 'sap'. Name one of wms1, erp1, hub."
    ]


def test_an_erp_that_there_is_not_is_told_with_those_that_there_are(tmp_path):
    text = WHOLE + ERP.replace("erp1", "tryton")
    text = text.replace('[routes.tills]\nerp = "erp1"', '[routes.tills]\nerp = "navision"')
    assert told(tmp_path, text) == [
        (
            "error routes.tills.erp: there is no connection 'navision'. "
            "Add [connections.navision], or name erp1 or tryton."
        )
    ]


@pytest.mark.parametrize(
    ("text", "belongs"),
    [
        (
            "[hub]\nday_ends_hour = 5\n",
            "error hub.day_ends_hour: there is no such key. It belongs in [policies].",
        ),
        ("day_ends_hour = 5\n", "error day_ends_hour: there is no such key. It belongs in [policies]."),
        (
            "[routes.shop]\nmode = 'live'\n",
            "error routes.shop.mode: there is no such key. It belongs in [connections.NAME].",
        ),
        (
            "[policies]\nattempts_max = 3\n",
            "error policies.attempts_max: there is no such key. It belongs in [policies.retries].",
        ),
    ],
)
def test_a_key_of_another_section_says_where_it_belongs(tmp_path, text, belongs):
    assert belongs in told(tmp_path, text)


@pytest.fixture
def unasked(monkeypatch):
    """A registry with an ERP's connector that cannot find what others have made."""
    module = types.ModuleType("unasked")
    operations = tuple(each for each in erp.SPEC.operations if each.name != "adopt_sale")
    module.SPEC = msgspec.structs.replace(erp.SPEC, name="unasked", operations=operations)
    module.build = lambda settings: types.SimpleNamespace(spec=module.SPEC)
    monkeypatch.setitem(sys.modules, "unasked", module)
    return Registry({**BUILT_IN, "unasked": "unasked"}, installed=False)


@pytest.mark.parametrize(("mode", "doubts"), [("adopt", 1), ("live", 0), ("observe", 0)])
def test_taking_over_from_an_erp_that_cannot_be_asked_is_a_doubt(tmp_path, unasked, mode, doubts):
    text = WHOLE.replace(SHOP, f'{SHOP}mode = "{mode}"\n').replace('"erp"\nurl', '"unasked"\nurl')
    found = told(tmp_path, text, unasked)
    assert len(found) == doubts
    if doubts:
        assert found[0].startswith("warning routes.shop.erp: shop is on adopt")
        assert "erp1 has no adopt_sale" in found[0]
    assert told(tmp_path, WHOLE.replace(SHOP, f'{SHOP}mode = "{mode}"\n')) == []


def test_tills_take_over_nothing(tmp_path, unasked):
    text = WHOLE.replace(TILLS, f'{TILLS}mode = "adopt"\n').replace('"erp"\nurl', '"unasked"\nurl')
    assert told(tmp_path, text, unasked) == []
