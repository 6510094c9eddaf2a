"""The histories of tests/bootstrap, over PostgreSQL: streams stay in order there too."""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crossdock.stores.postgres import open_store
from crossdock.stores.vault import Vault
from tests.bootstrap.conftest import KEY, Running
from tests.bootstrap.test_histories import History, steps
from tests.bootstrap.test_pipeline_loop import Looping

DROPPED = [("hold", "mapping"), ("drop", 0)]
"""Its stream is freed by a batch in which others of it come to wait."""


@example(history=[*DROPPED, *[("send", "1", "shop", "", 0)] * 3], batch_max=2)
@example(
    history=[*DROPPED, *[("send", "1", "shop", "", 0)] * 5, ("send", "1", "shop", "retry", 0), ("run",)],
    batch_max=2,
)
@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
@given(history=st.lists(steps, min_size=5, max_size=30), batch_max=st.integers(1, 4))
def test_streams_stay_in_order_nothing_is_lost_and_stock_adds_up(postgres, history, batch_max):
    url = postgres.database()
    store = open_store(url, Vault(KEY))
    running = Running(store)
    try:
        played = History(Looping(running, lambda pipeline: pipeline, batch_max=batch_max))
        for step in history:
            played.play(step)
        played.end()
        played.check()
    finally:
        running.stop()
        store.close()
        postgres.give_back(url)
