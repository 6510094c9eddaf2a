"""The keys of the file are the fields of the structs that they fill, with the same defaults."""

import msgspec
import pytest

from crossdock.config.forms import AUTHORITY, LIMITS, LOCATION, POLICIES, RETRIES, ROUTE, SECTIONS, TOP_LEVEL
from crossdock.config.model import LimitsConfig
from crossdock.domain.policy import Authority, Place, Policy, Route
from crossdock.engine.recovery import RetryPolicy

PAIRS = [
    (POLICIES, Policy, set()),
    (RETRIES, RetryPolicy, set()),
    (LIMITS, LimitsConfig, set()),
    (AUTHORITY, Authority, set()),
    (ROUTE, Route, {"channel"}),
    (LOCATION, Place, {"id"}),
]


@pytest.mark.parametrize(("section", "struct", "named"), PAIRS)
def test_a_section_has_the_fields_of_its_struct(section, struct, named):
    fields = {
        f.name: f.default if f.default is not msgspec.NODEFAULT else f.default_factory()
        for f in msgspec.structs.fields(struct)
        if f.name not in named
    }
    assert {field.name: field.default for field in section.fields} == fields


def test_every_key_says_what_it_is_for():
    for section in SECTIONS:
        for field in section.fields:
            assert field.doc.endswith("."), field.name


def test_every_section_may_stand_in_the_file():
    assert {section.name.partition(".")[0] for section in SECTIONS} == set(TOP_LEVEL)
