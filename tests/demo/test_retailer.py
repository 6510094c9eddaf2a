"""The demo's retailer: a configuration without a mistake, simulators that understand their settings, times that add up."""

import msgspec
import pytest

from crossdock.config import load_config
from crossdock.config.keys import read_tokens
from crossdock.demo.options import Options
from crossdock.demo.retailer import PARTNERS, SCARCE, connect, found_retailer
from crossdock.demo.stores import STORES, is_missed, silence_s, stores_of
from crossdock.simulator.serve import App, Config


@pytest.fixture
def retailer(tmp_path):
    made = found_retailer(tmp_path, 8765, Options(rate=10, seconds=8, seed=3))
    connect(made, "http://127.0.0.1:9")
    return made


def test_the_hubs_configuration_has_no_mistake_and_no_doubt(retailer):
    config = load_config(retailer.config, retailer.environ, all_secrets=True)
    assert config.warnings == ()
    assert set(config.connections) == {*PARTNERS, STORES}
    assert len(config.plan.places) == 301
    assert config.hub.local_url == retailer.url
    assert config.plan.authority.stock == "erp"


def test_the_erps_sales_are_read_so_that_compare_can_say_something(retailer):
    erp = load_config(retailer.config, retailer.environ, all_secrets=True).connections["erp"]
    assert "sales" in erp.feeds
    assert erp.poll_every_s < 60


def test_without_tickets_there_are_no_stores(tmp_path):
    made = found_retailer(tmp_path, 8765, Options(rate=10, seconds=8, tickets=0))
    connect(made, "http://127.0.0.1:9")
    config = load_config(made.config, made.environ, all_secrets=True)
    assert set(config.connections) == set(PARTNERS)
    assert set(config.plan.places) == {"main"}


def test_with_a_real_erp_there_is_none_simulated_and_the_configuration_has_no_mistake(tmp_path):
    made = found_retailer(tmp_path, 8765, Options(erp="tryton", rate=1, stores=20))
    connect(made, "http://127.0.0.1:9", "http://127.0.0.1:8/tryton")
    config = load_config(made.config, made.environ, all_secrets=True)
    assert config.warnings == ()
    assert config.connections["erp"].connector == "tryton"
    assert config.connections["erp"].limits.concurrency_max == 1
    served = msgspec.json.decode(made.partners.read_bytes(), type=Config).simulators
    assert [one.name for one in served] == list(made.simulated) == ["shop", "warehouse", STORES]


def test_the_stores_are_named_by_their_numbers_whatever_there_are():
    usual, few = stores_of(Options()), stores_of(Options(stores=20))
    assert (usual.silent, usual.cent_off) == ("store-214", "store-133")
    assert [unit.store for unit in usual.last] == ["store-042", "store-117", "store-256"]
    assert len(set(usual.zones.values())) == 4
    for stores in (usual, few):
        special = {stores.silent, stores.cent_off, *(unit.store for unit in stores.last)}
        assert len(special) == 5
        assert special <= set(stores.zones)


def test_a_store_is_called_silent_only_when_the_others_have_had_their_turn():
    assert is_missed(Options())
    assert silence_s(Options()) > 330 / 15
    assert not is_missed(Options(seconds=8))


def test_no_secret_stands_in_the_hubs_configuration(retailer):
    text = retailer.config.read_text("utf-8")
    assert not [value for value in retailer.environ.values() if value in text]


def test_the_token_that_is_printed_opens_the_hub(retailer):
    assert read_tokens(retailer.data / "tokens").owner(retailer.token) == "demo"


def test_the_simulators_understand_what_they_are_told(retailer):
    config = msgspec.json.decode(retailer.partners.read_bytes(), type=Config)
    assert [served.name for served in config.simulators] == [*PARTNERS, STORES]
    assert all(served.faults for served in config.simulators)
    App(config)


def test_without_faults_nothing_goes_wrong(tmp_path):
    made = found_retailer(tmp_path, 8765, Options(rate=10, seconds=8, faults=False))
    config = msgspec.json.decode(made.partners.read_bytes(), type=Config)
    assert not any(served.faults for served in config.simulators)
    settings = {served.name: served.settings for served in config.simulators}
    assert "short_rate" not in settings["warehouse"]
    assert settings["erp"]["sales_per_s_max"] == 0


def test_two_skus_are_scarce_and_nothing_else_is(retailer):
    plenty = {quantity for sku, quantity in retailer.opening.items() if sku not in SCARCE}
    assert len(plenty) == 1
    assert all(0 < retailer.opening[sku] < min(plenty) / 10 for sku in SCARCE)


@pytest.mark.parametrize(("seconds", "gone"), [(1, 2 / 3), (60, 40), (90, 60), (240, 60), (3600, 60)])
def test_the_warehouse_is_gone_for_a_minute_or_as_long_as_the_run_allows(seconds, gone):
    options = Options(rate=20, seconds=seconds)
    start, end = options.gone
    (kill_at,) = options.kills
    assert kill_at == seconds / 2
    assert 0 < start < end < 0.75 * seconds, "while orders come, it has to catch up"
    assert end - start == pytest.approx(gone)


def test_a_run_as_it_is_usual_has_a_warehouse_that_is_gone_for_a_minute():
    start, end = Options().gone
    assert end - start == 60


def test_of_several_workers_one_is_killed_every_ten_seconds():
    assert Options(seconds=60, store="postgres").kills == [10, 20, 30, 40, 50]
    assert Options(seconds=12, store="postgres").kills == pytest.approx([4.8, 9.6])
    assert Options(seconds=60, store="postgres", faults=False).kills == []


def test_what_processes_share_stands_in_the_configuration(tmp_path):
    address = "postgresql://postgres@/demo?host=/run/postgresql"
    made = found_retailer(tmp_path, 8765, Options(rate=10, seconds=8), address)
    connect(made, "http://127.0.0.1:9")
    config = load_config(made.config, made.environ, all_secrets=True)
    assert config.hub.store == made.store == address
    assert config.warnings == ()


def test_the_erp_is_slower_than_the_orders_and_its_backlog_takes_seconds():
    for seconds in (8, 60, 3600):
        options = Options(rate=20, seconds=seconds)
        backlog = options.orders - options.sales_per_s * seconds
        assert 0 < backlog <= 3 * options.rate + 1e-6
