import pytest

from tests.config.test_load import SHOP, WHOLE, mistakes

MISTAKES = [
    (
        WHOLE.replace("[routes.shop]", '[routes.shop]\ncopies = ["market"]'),
        16,
        "routes.shop.copies",
        "it must be a table of texts",
    ),
    (
        WHOLE.replace("[routes.shop]", '[routes.shop]\ncopies = { amazon-us = "shop" }'),
        16,
        "routes.shop.copies.amazon-us",
        "a channel holds no copies of its own orders.",
    ),
    (
        WHOLE.replace("[routes.shop]", '[routes.shop]\ncopies = { amazon-us = "wms1" }'),
        16,
        "routes.shop.copies.amazon-us",
        "'wms1' is no connection to",
    ),
    (
        WHOLE.replace("[routes.shop]", '[routes.shop]\ncopies = { amazon-us = "market" }')
        + SHOP.replace("[connections.shop]", "[connections.market]"),
        16,
        "routes.shop.copies.amazon-us",
        "'market' has no route",
    ),
]


@pytest.mark.parametrize(("text", "line", "field", "words"), MISTAKES)
def test_a_mistake_in_copies_is_told_with_its_line_its_field_and_what_to_do(
    tmp_path, text, line, field, words
):
    found = mistakes(tmp_path, text)
    assert [told for told in found if told[:2] == (line, field) and words in told[2]], found
