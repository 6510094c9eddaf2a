import pytest

from tests.gateway.serving import served


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """One hub per file of tests; each test uses orders of its own."""
    with served(tmp_path_factory.mktemp("hub")) as found:
        yield found
