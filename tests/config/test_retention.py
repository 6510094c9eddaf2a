"""How long bodies and delivery ids are kept, as the file says it."""

import pytest

from crossdock.bootstrap.keeping import DAY_US, retention_of
from crossdock.config import ConfigurationErrors, Registry, load_config
from tests.config.test_doubts import ENVIRON, WHOLE, told


def of_shop(lines):
    return WHOLE.replace("[connections.shop]\n", f"[connections.shop]\n{lines}\n")


def kept(tmp_path, text):
    path = tmp_path / "crossdock.toml"
    path.write_text(text)
    found = retention_of(load_config(path, ENVIRON, Registry(installed=False)))
    return [
        {source: us // DAY_US for source, us in days.items()}
        for days in (found.bodies_us, found.deliveries_us)
    ]


def test_ninety_days_where_nothing_is_said(tmp_path):
    assert kept(tmp_path, WHOLE) == [{"": 90}, {"": 90}]


def test_a_connection_has_days_of_its_own_and_0_is_for_ever(tmp_path):
    text = of_shop("bodies_days = 30\ndeliveries_days = 0")
    policies = "[policies]\nbodies_days = 0\ndeliveries_days = 400\n"
    assert kept(tmp_path, text + policies) == [{"": 0, "shop": 30}, {"": 400, "shop": 0}]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("bodies_days = -1", "line {}: {}.bodies_days: -1 is less than 0. Give at least 0."),
        (
            'deliveries_days = "90"',
            "line {}: {}.deliveries_days: it must be a whole number, and is a text. Write digits without quotes.",
        ),
        ("bodies_days = 40000", "line {}: {}.bodies_days: 40000 is more than 36525. Give at most 36525."),
        ("bodies_day = 1", "line {}: {}.bodies_day: there is no such key. Did you mean 'bodies_days'?"),
    ],
)
@pytest.mark.parametrize("table", ["policies", "connections.shop"])
def test_a_mistake_is_told_with_its_line_and_its_remedy(tmp_path, table, line, problem):
    path = tmp_path / "crossdock.toml"
    path.write_text(of_shop(line) if table != "policies" else f"{WHOLE}[policies]\n{line}\n")
    number = path.read_text().splitlines().index(line) + 1
    with pytest.raises(ConfigurationErrors) as found:
        load_config(path, ENVIRON, Registry(installed=False))
    assert [str(p) for p in found.value.problems] == [problem.format(number, table)]


def test_who_forgets_deliveries_before_partners_stop_repeating_them_is_warned(tmp_path):
    remedy = "Write deliveries_days = 30 or more."
    assert told(tmp_path, WHOLE + "[policies]\nbodies_days = 7\ndeliveries_days = 7\n") == [
        "warning policies.deliveries_days: deliveries are known for 7 days, and partners may repeat one for 30. "
        + remedy
    ]
    assert told(tmp_path, of_shop("bodies_days = 7\ndeliveries_days = 29")) == [
        "warning connections.shop.deliveries_days: deliveries are known for 29 days, and partners may repeat one for 30. "
        + remedy
    ]


def test_who_forgets_deliveries_while_their_bodies_can_be_replayed_is_warned(tmp_path):
    found = told(tmp_path, of_shop("bodies_days = 365"))
    assert found == [
        (
            "warning connections.shop.bodies_days: bodies can be replayed for 365 days, and a replay that is asked for twice is "
            "known for 90. Write deliveries_days = 365."
        )
    ]
    assert told(tmp_path, of_shop("bodies_days = 365\ndeliveries_days = 365")) == []


def test_who_keeps_deliveries_for_ever_is_not_warned(tmp_path):
    assert told(tmp_path, WHOLE + "[policies]\nbodies_days = 0\ndeliveries_days = 0\n") == []
