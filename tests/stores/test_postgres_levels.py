"""Levels that two workers move at once: a difference is written upon whatever stands there, unless zero was crossed unseen."""

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from crossdock.domain.state import Changes, Level
from crossdock.errors import RacedError
from crossdock.stores.postgres import open_store
from crossdock.stores.postgres.levels import write_levels
from crossdock.stores.postgres.session import Session
from crossdock.stores.vault import Vault

QUANTITIES = (-2, -1, 0, 1, 2)


@pytest.fixture
def session(url: str) -> Iterator[Session]:
    open_store(url, Vault(b"k" * 32)).close()
    opened = Session(url)
    yield opened
    opened.close()


def put(session: Session, on_hand: int) -> None:
    """What another worker has made of it."""
    session.transact(lambda s: write_levels(s, Changes(levels=[at(on_hand)])))


def decided(session: Session, base: int, then: int) -> bool:
    """Write what was decided on a level that stood at `base`; False where it must be decided again."""
    changes = Changes(levels=[at(then)], bases={("SKU-1", "berlin"): at(base)})
    try:
        session.transact(lambda s: write_levels(s, changes))
    except RacedError:
        return False
    return True


def at(on_hand: int) -> Level:
    return Level("SKU-1", "berlin", on_hand)


def test_a_level_crosses_zero_only_where_that_was_decided(session: Session, url: str) -> None:
    for held, base, then in itertools.product(QUANTITIES, repeat=3):
        put(session, held)
        after = held + then - base
        crossed, meant = (held < 0) != (after < 0), (base < 0) != (then < 0)
        assert decided(session, base, then) is (meant or not crossed), (held, base, then)
        with psycopg.connect(url) as reader:
            stands = reader.execute("select on_hand from level").fetchall()
        assert stands == [(after if meant or not crossed else held,)], (held, base, then)
