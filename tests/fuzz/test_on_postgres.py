"""The same faces, over PostgreSQL: what its columns cannot hold is no defect either. Searched for a shorter time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.config import keys
from crossdock.stores.opening import open_reads
from crossdock.stores.vault import Vault
from tests.faults.retailer import Retailer
from tests.fuzz.budget import examples
from tests.fuzz.mutate import bodies_of
from tests.fuzz.samples import KINDS, SAMPLES, headers_of
from tests.fuzz.test_api import BODIES, require_told
from tests.fuzz.test_gate import CONNECTIONS, MORE, SECRETS, hurt
from tests.gateway.serving import served
from tests.servers import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]
POSTED = [pair for pair in KINDS if not pair[1].startswith("page.")]


class Shared(Retailer):
    """Its hub keeps everything in a database of the server."""

    def __init__(self, folder, url):
        self.database = url
        super().__init__(folder, more=MORE, hub_more=f'database = "{url}"')

    def reads(self):
        return open_reads(self.database, Vault(keys.read_key(self.folder / "data" / "key")))


@pytest.fixture(scope="module")
def server():
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def gate(server, tmp_path_factory):
    with hurt(Shared(tmp_path_factory.mktemp("fuzz"), server.database())) as made:
        yield made


@pytest.fixture(scope="module")
def api(server, tmp_path_factory):
    with served(tmp_path_factory.mktemp("hub"), f'database = "{server.database()}"') as found:
        found.order("one", external_id="A-1", number="#1")
        yield found


@pytest.mark.fault(47)
@given(data=st.data())
@examples(120)
def test_a_signed_body_that_was_mutated_is_kept(gate, data):
    name, kind = data.draw(st.sampled_from(POSTED))
    body = data.draw(bodies_of(SAMPLES[name][kind]))
    assert gate.post(f"/in/{CONNECTIONS[name]}", headers_of(name, kind, body, SECRETS[name]), body) in (
        200,
        413,
    )


@pytest.mark.fault(47)
@given(data=st.data())
@examples(60)
def test_no_body_makes_the_api_fail(api, data):
    require_told(api, data.draw(st.sampled_from(sorted(BODIES.items()))), data)
