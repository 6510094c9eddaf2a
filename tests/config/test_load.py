from datetime import UTC, datetime
from pathlib import Path

import pytest

from crossdock.config import Config, ConfigurationErrors, Registry, load_config, load_hub
from crossdock.engine.recovery import RetryPolicy
from crossdock.errors import ConfigurationError

ENVIRON = {"T": "token-1", "S": "secret-1", "PORT": "9001", "EMPTY": "", "NL": "secret\n"}

WMS = '[connections.wms1]\nconnector = "wms"\nurl = "http://127.0.0.1:9100"\ntoken = "${T}"\nwebhook_secret = "${S}"\n'
ERP = '[connections.erp1]\nconnector = "erp"\nurl = "http://127.0.0.1:9200"\ntoken = "${T}"\n'
SHOP = (
    '[connections.shop]\nconnector = "shopify"\nurl = "http://127.0.0.1:9300"\naccess_token = "${T}"\n'
    'webhook_secret = "${S}"\n'
)
PLAN = '[routes.shop]\nerp = "erp1"\nlocations = ["berlin"]\n[locations.berlin]\nwarehouse = "wms1"\n'
WHOLE = SHOP + WMS + ERP + PLAN


def load(tmp_path: Path, text: str | bytes) -> Config:
    path = tmp_path / "crossdock.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(path, ENVIRON, Registry(installed=False))


def mistakes(tmp_path: Path, text: str | bytes) -> list[tuple[int, str, str]]:
    try:
        problems = load(tmp_path, text).warnings
    except ConfigurationErrors as errors:
        problems = errors.problems
    return [(p.line, p.field, f"{p.severity}: {p.message} {p.remedy}") for p in problems]


def test_a_whole_file_is_read_without_a_word(tmp_path):
    config = load(tmp_path, WHOLE)
    assert config.warnings == ()
    assert list(config.connections) == ["shop", "wms1", "erp1"]
    assert config.plan.routes["shop"].erp == "erp1"
    assert config.plan.routes["shop"].channel == "shop"
    assert config.plan.routes["shop"].locations == ("berlin",)
    assert config.plan.places["berlin"].warehouse == "wms1"
    assert config.plan.roles == {"shop": ("channel",), "wms1": ("wms",), "erp1": ("erp",)}
    assert config.plan.modes["wms1"] == "live"
    assert "release" in config.plan.offers["wms1"]
    assert config.retries == RetryPolicy()
    assert config.limits.body_bytes_max == 16 * 1024 * 1024
    assert config.hub.data == tmp_path / "data"
    assert config.hub.public_url == "http://127.0.0.1:8080"


def test_settings_are_text_with_defaults_and_secrets_in_them(tmp_path):
    more = 'notify_customer = false\nown_services = ["manual", "gift_card"]\nacknowledge_tag = ""\n'
    settings = (
        load(tmp_path, SHOP + more + 'locations = { 1 = "berlin", 2 = "lyon" }\n')
        .connections["shop"]
        .settings
    )
    assert settings["access_token"] == "token-1"
    assert settings["notify_customer"] == "false"
    assert settings["own_services"] == "manual,gift_card"
    assert settings["locations"] == "1=berlin,2=lyon"
    assert settings["acknowledge_tag"] == ""
    assert settings["refund_on_cancel"] == "true"
    assert "currency" not in settings


def test_a_connection_that_is_printed_keeps_its_secrets(tmp_path):
    config = load(tmp_path, WHOLE)
    assert "secret-1" not in repr(config)
    assert "token-1" not in repr(config)


def test_the_file_overrides_the_pace_of_the_spec_key_by_key(tmp_path):
    limits = load(tmp_path, WMS + "requests_per_s = 5\nconcurrency_max = 2\n").connections["wms1"].limits
    assert (limits.requests_per_s, limits.burst, limits.concurrency_max) == (5.0, 50, 2)


def test_values_may_come_from_the_environment(tmp_path):
    assert load(tmp_path, '[hub]\nport = "${PORT}"\nname = "hub-${PORT}"\n').hub.port == 9001


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ('"2026-03-01"', datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T06:00:00+02:00", datetime(2026, 3, 1, 4, tzinfo=UTC)),
        ("2026-03-01 06:00:00Z", datetime(2026, 3, 1, 6, tzinfo=UTC)),
    ],
)
def test_since_is_a_moment(tmp_path, written, moment):
    assert load(tmp_path, f"{WMS}since = {written}\n").connections["wms1"].since == moment


def test_retries_and_policies_are_taken_over(tmp_path):
    text = '[policies]\nhold_tags = ["b2b"]\nretries = { attempts_max = 3, base_s = 1, cap_s = 2.5 }\n'
    config = load(tmp_path, text)
    assert config.plan.policy.hold_tags == ("b2b",)
    assert (config.retries.attempts_max, config.retries.base_s, config.retries.cap_s) == (3, 1.0, 2.5)


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(tmp_path):
    text = '[hub]\nprot = 1\nport = "x"\n[policies]\nunknown_sku = "prak"\n[routes.shop]\nerp = "nobody"\n'
    with pytest.raises(ConfigurationErrors) as caught:
        load(tmp_path, text)
    assert [p.line for p in caught.value.problems if p.severity == "error"] == [2, 3, 5, 6, 7]
    assert caught.value.line == 2
    assert caught.value.field == "hub.prot"
    assert str(caught.value).startswith(
        "crossdock.toml has 5 mistakes:\n  line 2: hub.prot: there is no such key."
    )


def test_a_mistake_in_a_connection_does_not_make_it_unknown(tmp_path):
    text = WHOLE.replace('connector = "wms"', 'connector = "wsm"')
    assert mistakes(tmp_path, text) == [
        (7, "connections.wms1.connector", "error: There is no connector 'wsm'. Did you mean 'wms'?")
    ]


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    assert load(tmp_path, b"\xef\xbb\xbf" + WHOLE.encode()).connections


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigurationError, match=r"crossdock init"):
        load_config(tmp_path / "none.toml", {})


MISTAKES = [
    # syntax
    ("[hub]\nname = \n", 2, "file", "error: not TOML (column 8): Invalid value."),
    ("[hub\n", 1, "file", "error: not TOML"),
    ("[hub]\nport = 1\nport = 2\n", 3, "file", "take one of the two out"),
    ("[hub]\n[hub]\n", 2, "file", "take one of the two out"),
    ('x = """\n\n', 3, "file", "(end of the file)"),
    (b"[hub]\n# caf\xe9\n", 2, "file", "error: the file is not UTF-8 here. Save it as UTF-8."),
    # keys
    ("[hub]\nhosst = 'x'\n", 2, "hub.hosst", "Did you mean 'host'?"),
    (
        "[hub]\nzzz = 1\n",
        2,
        "hub.zzz",
        "Known here: allow_remote, data, database, host, name, port, public_url.",
    ),
    ("\n[polices]\n", 2, "polices", "Did you mean 'policies'?"),
    (WMS + "web-hook_secret = 1\n", 6, "connections.wms1.web-hook_secret", "Did you mean 'webhook_secret'?"),
    ("[routes.api]\nlocation = []\n", 2, "routes.api.location", "Did you mean 'locations'?"),
    ("[policies]\nretries.attempts = 3\n", 2, "policies.retries.attempts", "Did you mean 'attempts_max'?"),
    # types
    (
        '[hub]\nport = "8080"\n',
        2,
        "hub.port",
        "error: it must be a whole number, and is a text. Write digits",
    ),
    ("[hub]\nport = true\n", 2, "hub.port", "it must be a whole number, and is true or false."),
    ("[hub]\nname = 5\n", 2, "hub.name", "it must be a text, and is a whole number. Put it in quotes."),
    ("[hub]\nallow_remote = 1\n", 2, "hub.allow_remote", "it must be true or false"),
    ("hub = 3\n", 1, "hub", "it must be a table, and is a whole number. Write [hub]."),
    ('[connections]\nshop = "x"\n', 2, "connections.shop", "it must be a table, and is a text."),
    ("[[connections]]\nname = 1\n", 1, "connections", "it must be a table, and is a list."),
    (
        '[policies]\nhold_tags = "vip"\n',
        2,
        "policies.hold_tags",
        'it must be a list, and is a text. Write ["vip"].',
    ),
    (
        "[policies]\nhold_tags = [1]\n",
        2,
        "policies.hold_tags",
        "it must hold texts only, and holds a whole number.",
    ),
    ("[policies]\nhold_tags = ['a', 'a']\n", 2, "policies.hold_tags", "'a' stands in it twice."),
    (
        "[policies.retries]\ncap_s = nan\n",
        2,
        "policies.retries.cap_s",
        "nan is no number to count with.",
    ),
    ("[policies]\ngrace_s = 1979-05-27\n", 2, "policies.grace_s", "and is a date or time."),
    # ranges and choices
    ("[hub]\nport = 0\n", 2, "hub.port", "0 is less than 1. Give at least 1."),
    ("[hub]\nport = 70000\n", 2, "hub.port", "Give at most 65535."),
    ('[policies]\nunknown_sku = "PARK "\n', 2, "policies.unknown_sku", "Did you mean 'park'?"),
    ('[policies]\nunknown_sku = "zzz"\n', 2, "policies.unknown_sku", "Write one of park, accept."),
    (
        "[policies.retries]\nbase_s = 10\ncap_s = 5\n",
        3,
        "policies.retries.cap_s",
        "the longest pause is below the first",
    ),
    # where it listens
    ('[hub]\nhost = "0.0.0.0"\n', 2, "hub.host", "can be reached from other machines. Write 127.0.0.1, or"),
    ('[hub]\nhost = ""\n', 2, "hub.host", "it is empty."),
    ('[hub]\ndata = ""\n', 2, "hub.data", "it is empty."),
    # names
    ('[connections."my shop"]\n', 1, 'connections."my shop"', "'my shop' cannot be a name. Use letters"),
    ('[connections.hub]\nconnector = "wms"\n', 1, "connections.hub", "is kept for the hub's own messages"),
    # the connector
    ("[connections.a]\nmode = 'live'\n", 1, "connections.a", "connector is missing. Add connector = ...:"),
    (
        WMS + 'mode = "liev"\n',
        6,
        "connections.wms1.mode",
        "is not one of observe, adopt, live. Did you mean 'live'?",
    ),
    ('[connections.a]\nconnector = "x"\nmode = "off"\n', 3, "connections.a.mode", "is not one of"),
    (
        ERP.replace('url = "http://127.0.0.1:9200"\n', ""),
        1,
        "connections.erp1",
        "url is missing. Add url = ...:",
    ),
    (ERP.replace('token = "${T}"\n', ""), 1, "connections.erp1", 'Add token = "${ERP1_TOKEN}": Bearer token'),
    (ERP + 'idempotency = "keys"\n', 5, "connections.erp1.idempotency", "Did you mean 'key'?"),
    (
        ERP + "page_size = 1979-05-27\n",
        5,
        "connections.erp1.page_size",
        "it must be a text, and is a date or time.",
    ),
    (ERP + 'customers = ["a,b"]\n', 5, "connections.erp1.customers", "it holds an item with a comma"),
    (
        ERP + "poll_every_s = 60\n",
        5,
        "connections.erp1.poll_every_s",
        'no feeds are named. Add feeds = ["..."].',
    ),
    (ERP + 'feeds = ["stock"]\n', 5, "connections.erp1.feeds", "the feeds are never read."),
    (
        ERP + 'feeds = ["stok"]\npoll_every_s = 60\n',
        5,
        "connections.erp1.feeds",
        "the connector 'erp' has no feed 'stok'. Did you mean 'stock'?",
    ),
    (WMS + "poll_every_s = 60\n", 6, "connections.wms1.poll_every_s", "the connector 'wms' has no feeds."),
    (
        WMS + "since = 2026-03-01T06:00:00\n",
        6,
        "connections.wms1.since",
        "the time does not say its offset from UTC.",
    ),
    (WMS + 'since = "soon"\n', 6, "connections.wms1.since", "'soon' is no date."),
    (WMS + "since = 3\n", 6, "connections.wms1.since", "it must be a date, and is a whole number."),
    # addresses
    (
        ERP.replace("http://127.0.0.1:9200", "erp.example"),
        3,
        "connections.erp1.url",
        "is no http(s) address.",
    ),
    (ERP.replace("127.0.0.1:9200", "erp:99999"), 3, "connections.erp1.url", "is no http(s) address."),
    (
        ERP.replace("127.0.0.1:9200", "me:pw@erp.example"),
        3,
        "connections.erp1.url",
        "the address holds credentials.",
    ),
    (ERP.replace("9200", "9200/x?y=1"), 3, "connections.erp1.url", "the address has a '?' or '#' part."),
    (
        ERP.replace("127.0.0.1:9200", "erp.example"),
        3,
        "connections.erp1.url",
        "warning: secrets and buyers' addresses",
    ),
    ('[hub]\npublic_url = "hub.example"\n', 2, "hub.public_url", "is no http(s) address."),
    # zones
    (
        '[locations.x]\nzone = "Berlin"\n',
        2,
        "locations.x.zone",
        "is no time zone. Did you mean 'Europe/Berlin'?",
    ),
    ('[locations.x]\nzone = "Europe/Berln"\n', 2, "locations.x.zone", "Did you mean 'Europe/Berlin'?"),
    ('[locations.x]\nzone = "../etc/passwd"\n', 2, "locations.x.zone", "is no time zone."),
    (SHOP + 'zone = "Mars/Base"\n', 6, "connections.shop.zone", "is no time zone."),
    # secrets
    (
        ERP.replace("${T}", "abc"),
        4,
        "connections.erp1.token",
        'Write token = "${ERP1_TOKEN}", set that variable, and',
    ),
    (ERP.replace("${T}", "x${T}"), 4, "connections.erp1.token", "it is a secret, and stands in the file."),
    (
        ERP.replace("${T}", "${NONE}"),
        4,
        "connections.erp1.token",
        "the environment variable NONE is not set. Set it",
    ),
    (
        ERP.replace("${T}", "${EMPTY}"),
        4,
        "connections.erp1.token",
        "the environment variable EMPTY is empty.",
    ),
    (ERP.replace("${T}", "${NL}"), 4, "connections.erp1.token", "the secret holds a space or a line break."),
    ('[hub]\nname = "${A-B}"\n', 2, "hub.name", "a '${' in it names no environment variable."),
    # routes and locations
    ("[routes.shop]\n", 1, "routes.shop", "there is no connection 'shop'. Add [connections.shop]: a"),
    (SHOP + "[routes.shpo]\n", 6, "routes.shpo", "there is no connection 'shpo'. Did you mean 'shop'?"),
    (WMS + "[routes.wms1]\n", 6, "routes.wms1", "'wms1' is no connection to a channel or till, but to wms."),
    (WHOLE.replace('erp = "erp1"', 'erp = "wms1"'), 16, "routes.shop.erp", "but to wms. There is erp1."),
    (WHOLE.replace('"berlin"]', '"berlni"]'), 17, "routes.shop.locations[0]", "Did you mean 'berlin'?"),
    (
        WHOLE.replace('"berlin"]', '"berlin",\n "x"]'),
        18,
        "routes.shop.locations[1]",
        "there is no location 'x'. Add",
    ),
    (WHOLE.replace('e = "wms1"', 'e = "erp1"'), 19, "locations.berlin.warehouse", "no connection to a wms"),
    (
        WHOLE + '[locations.b]\nwarehouse = "wms1"\npartner_code = "berlin"\n',
        22,
        "locations.b.partner_code",
        "wms1 already calls locations.berlin 'berlin'.",
    ),
    (WHOLE + '[authority]\nstock = "epr1"\n', 21, "authority.stock", "Did you mean 'erp1'?"),
    (WHOLE + '[authority]\nprice = "hub"\n', 21, "authority.price", "there is no connection 'hub'."),
    # doubts
    ("[hub]\nname = ' '\n", 2, "hub.name", "error: it is empty. Write name ="),
    ("", 0, "connections", "warning: there is no connection yet."),
    (WHOLE + "[locations.x]\n", 20, "locations.x", "warning: no route leads to it."),
    (SHOP, 1, "connections.shop", "warning: it has no route: its orders park."),
    (WMS, 1, "connections.wms1", "warning: no location is worked by it."),
    (ERP, 1, "connections.erp1", "warning: no route books its sales there."),
    (SHOP + "[routes.shop]\n", 6, "routes.shop", "warning: no locations serve it"),
]


@pytest.mark.parametrize(("text", "line", "field", "words"), MISTAKES)
def test_a_mistake_is_told_with_its_line_its_field_and_what_to_do(tmp_path, text, line, field, words):
    found = mistakes(tmp_path, text)
    assert [told for told in found if told[:2] == (line, field) and words in told[2]], found


def test_a_store_that_tills_sell_in_needs_no_route(tmp_path):
    tills = '[connections.pos]\nconnector = "till"\nwebhook_secret = "s"\n[routes.pos]\nerp = "erp1"\n'
    places = '[locations.x]\nzone = "Europe/Berlin"\n[locations.y]\nwarehouse = "wms1"\n'
    fields = [field for _, field, _ in mistakes(tmp_path, WHOLE + tills + places)]
    assert "locations.x" not in fields
    assert "locations.y" in fields


def test_looking_needs_the_hub_alone(tmp_path):
    path = tmp_path / "crossdock.toml"
    path.write_text('[hub]\nport = 8081\n[connections.shop]\nconnector = "gone"\n')
    assert load_hub(path, {}).local_url == "http://127.0.0.1:8081"
    path.write_text("[hub]\nport = 0\n")
    with pytest.raises(ConfigurationErrors, match=r"line 2: hub\.port"):
        load_hub(path, {})


def test_secrets_that_are_not_needed_may_be_absent(tmp_path):
    path = tmp_path / "crossdock.toml"
    path.write_text(WHOLE)
    config = load_config(path, {"S": "secret-1"}, Registry(installed=False), all_secrets=False)
    assert "access_token" not in config.connections["shop"].settings
    assert config.connections["shop"].settings["webhook_secret"] == "secret-1"
    path.write_text(WHOLE.replace('"${T}"', '"written out"'))
    with pytest.raises(ConfigurationErrors, match="it is a secret, and stands in the file"):
        load_config(path, {}, Registry(installed=False), all_secrets=False)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("::", "http://[::1]:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
    ],
)
def test_the_hub_is_reached_from_here_whatever_it_listens_on(tmp_path, host, url):
    config = load(tmp_path, f'[hub]\nhost = "{host}"\nallow_remote = true\n')
    assert config.hub.local_url == url


def test_no_message_repeats_a_secret(tmp_path):
    text = WHOLE.replace('"${T}"', '"hunter2"') + 'x = "hunter2"\n'
    assert "hunter2" not in str(mistakes(tmp_path, text))
