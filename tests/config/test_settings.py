"""Settings of connections: the spec of a connector is what they are checked by."""

import pytest

from crossdock.config import ConfigurationErrors, Registry
from crossdock.config.lines import lines_of
from crossdock.config.reading import Reading
from crossdock.config.settings import checked
from tests.config.test_load import ERP, PLAN, SHOP, WMS, load, mistakes

TILL = '[connections.pos]\nconnector = "till"\nwebhook_secret = "${S}"\n'
NATS = '[connections.bus]\nconnector = "nats"\nservers = ["nats://127.0.0.1:4222"]\n'
PLACE = '[locations.berlin]\nwarehouse = "wms1"\n'
SETTINGS = [
    (SHOP, 'currency = "EURO"', "currency", "is no currency. Did you mean 'EUR'?"),
    (SHOP, 'currency = "eur"', "currency", "Did you mean 'EUR'?"),
    (SHOP, 'currency = "??"', "currency", "Write its ISO 4217 code"),
    (SHOP, 'api_version = "banana"', "api_version", "'banana' cannot be it. Version of the Admin API"),
    (SHOP, 'poll_since = "yesterday"', "poll_since", "is no time with its offset from UTC. Write one like"),
    (SHOP, 'poll_since = "2026-03-01T06:00:00"', "poll_since", "is no time with its offset"),
    (SHOP, 'location_id = "abc"', "location_id", "'abc' cannot be it. Shopify's id"),
    (SHOP, 'locations = "abc"', "locations", "'abc' is not written as theirs=ours. Write {"),
    (SHOP, 'locations = { abc = "berlin" }', "locations", "'abc' cannot be it. Shopify's location ids"),
    (SHOP, 'locations = "1=berlin, 1=berlin"', "locations", "'1' stands in it twice. Take one"),
    (
        SHOP,
        'locations = { 1 = "belrin" }',
        "locations",
        "there is no location 'belrin'. Did you mean 'berlin'?",
    ),
    (SHOP, 'locations = { 1 = "xyz" }', "locations", "Add [locations.xyz], or take it out."),
    (ERP, 'page_size = "many"', "page_size", "'many' is not a whole number. Levels or documents"),
    (ERP, "page_size = -1", "page_size", "-1 is less than 1. Give at least 1."),
    (ERP, "page_size = 2.5", "page_size", "'2.5' is not a whole number."),
    (ERP, "page_size = 10001", "page_size", "Give at most 10000."),
    (ERP, "batch_max = 501", "batch_max", "501 is more than 500. Give at most 500."),
    (ERP, 'channels = { Web = "shpo" }', "channels", "there is no connection 'shpo'. Add [connections.shpo]"),
    (TILL, "upload_tickets_per_s = 0", "upload_tickets_per_s", "0 is less than 1. Give at least 1."),
    (NATS, "replicas = 2", "replicas", "Write one of 1, 3, 5."),
    (NATS, "duplicate_window_s = 0", "duplicate_window_s", "Give at least 1."),
]


@pytest.mark.parametrize(("connection", "written", "field", "words"), SETTINGS)
def test_a_setting_is_checked_as_its_connector_says(tmp_path, connection, written, field, words):
    found = mistakes(tmp_path, f"{connection}{written}\n{PLACE}")
    line = connection.count("\n") + 1
    name = connection.partition("]")[0].removeprefix("[")
    assert [told for told in found if told[:2] == (line, f"{name}.{field}") and words in told[2]], found


def test_settings_that_are_right_are_taken_as_they_are(tmp_path):
    shop = 'currency = "JPY"\napi_version = "2026-01"\npoll_since = "2026-03-01T06:00:00+01:00"\n'
    shop += 'location_id = "65616216276"\nlocations = { 65616216276 = "berlin" }\n'
    erp = 'page_size = 100\nbatch_max = "${TEN}"\nchannels = "Web DE=shop"\n'
    text = (SHOP + shop + WMS + ERP + erp + PLAN).replace("${TEN}", "10")
    config = load(tmp_path, text)
    assert config.connections["shop"].settings["locations"] == "65616216276=berlin"
    assert config.connections["erp1"].settings["page_size"] == "100"
    assert config.connections["erp1"].settings["channels"] == "Web DE=shop"


def test_every_default_of_a_connector_is_as_its_spec_says():
    registry = Registry(installed=False)
    for name in registry.names():
        for setting in registry.get(name).spec.settings:
            if setting.default and not setting.secret:
                found = checked(Reading({}, lines_of(""), {}), (), setting, setting.default)
                assert found == setting.default, (name, setting.name)


@pytest.mark.parametrize(
    "text", ['[connections.x]\nconnector = "nobody"\n', SHOP + "url = 1\n", "[hub]\nname = ''\n"]
)
def test_every_mistake_says_what_to_do(tmp_path, text):
    with pytest.raises(ConfigurationErrors) as raised:
        load(tmp_path, text)
    assert all(problem.remedy for problem in raised.value.problems), raised.value.problems
