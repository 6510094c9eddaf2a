import msgspec
import pytest

from crossdock.engine.masking import ERASED, masked, without_persons

PARTY = msgspec.json.encode(
    {
        "buyer": {
            "kind": "guest",
            "name": "Zebedee Doe",
            "email": "zebedee@doe.example",
            "language": "refused",
        },
        "ship_to": {"lines": ["Elm St 1"], "city": "Berlin", "country": "DE"},
    }
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("It was refused: ZEBEDEE is unknown. Ask there.", "It was refused: … is unknown. Ask there."),
        ("refused: 'Elm St 1, Berlin' is too long", "refused: '…, …' is too long"),
        ("other@doe.example is blocked in DE", "… is blocked in DE"),
        ("order CD0000000001-1 is refused", "order CD0000000001-1 is refused"),
    ],
)
def test_a_partners_words_repeat_nothing_of_the_persons_that_it_was_told(text, left):
    assert without_persons(text, PARTY) == left


def test_where_no_person_is_known_only_addresses_of_mail_are_taken_out():
    assert without_persons("Zebedee <z@doe.example>", b"") == "Zebedee <…>"
    assert without_persons("Zebedee", b"no json") == "Zebedee"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", ""),
        ("name: Zebedee Doe is no number", ERASED),
        ("It was refused: Zebedee. Mend it there.", f"{ERASED} Mend it there."),
        ("Refused, “St. Peter lives here. Mr. Doe too”. Mend it there.", f"{ERASED} Mend it there."),
    ],
)
def test_of_a_cases_words_the_remedy_outlives_the_person(text, left):
    assert masked(text) == left
    assert masked(masked(text)) == left
