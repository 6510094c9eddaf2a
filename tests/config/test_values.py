"""What was probably meant, and what a single value must be."""

import pytest

from crossdock.config.forms import POLICIES
from crossdock.config.values import Field, Wrong, nearest, read

STORES = [f"store-{n:02d}" for n in range(1, 41)]


@pytest.mark.parametrize(
    ("word", "options", "meant"),
    [
        ("store-1", STORES, "store-01"),
        ("store-031", STORES, "store-31"),
        ("Store 7", STORES, "store-07"),
        ("stoer-12", STORES, "store-12"),
        ("store-1", ["store-01", "store-001"], ""),
        ("store-99", STORES, ""),
        ("shpo", ["shop", "ship"], "shop"),
        ("sho", ["shop", "shoe"], ""),
        ("erp", ["erp2", "erp"], "erp"),
        ("zzz", STORES, ""),
    ],
)
def test_the_nearest_is_offered_only_where_it_is_one(word, options, meant):
    assert nearest(word, options) == meant


@pytest.mark.parametrize("name", ["erp_total_tolerance", "price_tolerance"])
@pytest.mark.parametrize("value", [0.01, "1", True])
def test_an_amount_says_that_it_is_in_cents(name, value):
    field = next(field for field in POLICIES.fields if field.name == name)
    with pytest.raises(Wrong) as caught:
        read(field, value)
    assert "in minor units of the currency (cents)" in caught.value.message
    assert caught.value.remedy == "Write 1 for a cent, 100 for a euro."


def test_an_amount_of_the_environment_is_a_whole_number():
    field = Field(name="x", doc="", kind="money")
    assert read(field, "250", from_environment=True) == 250
    with pytest.raises(Wrong):
        read(field, "2.50", from_environment=True)


def test_rates_are_factors_and_no_percentages():
    field = Field(name="x", doc="", kind="rates")
    assert read(field, ["0.19", "0.07"]) == ("0.19", "0.07")
    for wrong in ("19", "0,19", "1.19", "-0.1", ".19"):
        with pytest.raises(Wrong, match="is no rate of tax") as caught:
            read(field, ["0.07", wrong])
        assert "0.19" in caught.value.remedy


def test_a_fraction_is_not_told_to_lose_quotes_that_it_has_not():
    with pytest.raises(Wrong) as caught:
        read(Field(name="x", doc="", kind="whole"), 1.5)
    assert (caught.value.message, caught.value.remedy) == (
        "it must be a whole number, and is 1.5.",
        "Write it without a decimal point.",
    )
