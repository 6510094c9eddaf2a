import pytest

from tests.console.pages import Console
from tests.gateway.serving import served


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with served(tmp_path_factory.mktemp("hub")) as found:
        yield found


@pytest.fixture
def console(api):
    """The console as somebody sees it who has logged in."""
    return Console(api).log_in()
