import sys
from types import ModuleType

import msgspec
import pytest

from crossdock.config import ConfigurationErrors, Registry, load_config
from crossdock.config.registry import BUILT_IN
from crossdock.connectors.wms import SPEC, build
from crossdock.errors import ConfigurationError
from crossdock.sdk.spec import Setting


@pytest.fixture
def package(monkeypatch):
    module = ModuleType("acme_connector")
    module.SPEC, module.build = msgspec.structs.replace(SPEC, name="acme"), build
    monkeypatch.setitem(sys.modules, "acme_connector", module)
    return module


def acme():
    return Registry({"acme": "acme_connector"}, installed=False).get("acme")


def test_every_connector_in_the_box_can_be_used():
    registry = Registry(installed=False)
    assert [registry.get(name).spec.name for name in registry.names()] == sorted(BUILT_IN)


def test_a_package_of_somebody_else_offers_its_own(package):
    assert acme().build is build


def test_an_entry_point_is_found(monkeypatch, tmp_path):
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[crossdock.connectors]\nacme = acme_entry_point\n")
    (tmp_path / "acme_entry_point.py").write_text(
        "import msgspec\nfrom crossdock.connectors import wms\n"
        "SPEC = msgspec.structs.replace(wms.SPEC, name='acme')\nbuild = wms.build\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "acme" in Registry().names()
    assert Registry().get("acme").spec.name == "acme"
    with pytest.raises(ConfigurationError, match="Two packages offer the connector 'acme'"):
        Registry({"acme": "acme_entry_point"}).get("acme")


def test_a_connector_that_is_not_there_is_told_with_the_nearest_name():
    with pytest.raises(ConfigurationError, match="Did you mean 'shopify'"):
        Registry(installed=False).get("shopfy")


def test_a_package_that_does_not_load_is_told():
    with pytest.raises(ConfigurationError, match="cannot be loaded from no_such_module"):
        Registry({"x": "no_such_module"}, installed=False).get("x")


def test_a_package_without_a_spec_is_its_authors_mistake(package):
    del package.SPEC
    with pytest.raises(ConfigurationError, match="exports no SPEC and build"):
        acme()


def test_a_spec_of_another_name_is_its_authors_mistake(package):
    package.SPEC = SPEC
    with pytest.raises(ConfigurationError, match="calls itself 'wms'"):
        acme()


def test_a_setting_that_hides_a_key_of_every_connection_is_its_authors_mistake(package):
    package.SPEC = msgspec.structs.replace(package.SPEC, settings=(Setting(name="mode", doc="x"),))
    with pytest.raises(ConfigurationError, match="a key of every connection"):
        acme()


def connection_of(package, tmp_path, error):
    def failing(settings):
        raise error

    package.build = failing
    package.SPEC = msgspec.structs.replace(package.SPEC, settings=(Setting(name="codes", doc="x"),))
    path = tmp_path / "crossdock.toml"
    path.write_text('[connections.a]\nconnector = "acme"\ncodes = "y"\n')
    return load_config(path, {}, Registry({"acme": "acme_connector"}, installed=False))


def test_a_connector_has_a_word_in_its_own_settings(package, tmp_path):
    error = ConfigurationError("it must be k=v. Write 1=berlin.", field="codes")
    with pytest.raises(
        ConfigurationErrors, match=r"line 3: connections.a.codes: it must be k=v\. Write 1=berlin\."
    ):
        connection_of(package, tmp_path, error)


def test_a_connector_that_fails_on_its_settings_is_told_at_its_connection(package, tmp_path):
    with pytest.raises(
        ConfigurationErrors, match=r"line 1: connections.a: the connector 'acme' fails .*ZeroDivision"
    ):
        connection_of(package, tmp_path, ZeroDivisionError())
