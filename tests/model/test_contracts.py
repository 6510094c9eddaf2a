import json

import jsonschema
import msgspec
import pytest

from crossdock.model.contracts import CONTRACTS, schemas, write
from tests.model.builders import rich_order

WRITTEN = schemas()


@pytest.mark.parametrize("name", WRITTEN)
def test_the_published_contract_is_what_the_code_says(repository, name):
    path = repository / "contracts" / name
    assert path.is_file(), f"contracts/{name} is missing; run `make contracts`"
    assert path.read_text(encoding="utf-8") == WRITTEN[name], (
        f"contracts/{name} is not the code's; run `make contracts`"
    )


def test_no_contract_is_published_that_the_code_no_longer_has(repository):
    published = {path.name for path in (repository / "contracts").glob("*.json")}
    assert published == set(WRITTEN), (
        "take away the files that no contract has any more, then run `make contracts`"
    )


@pytest.mark.parametrize("name", WRITTEN)
def test_a_contract_is_valid_json_schema_and_names_itself(name):
    schema = json.loads(WRITTEN[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:crossdock:contract:{name.removesuffix('.json')}:1"


def test_what_the_hub_writes_satisfies_the_contract_of_an_order():
    validator = jsonschema.Draft202012Validator(json.loads(WRITTEN["order.json"]))
    validator.validate(json.loads(msgspec.json.encode(rich_order())))
    assert not validator.is_valid({"connection": "shop", "external_id": 7, "version": "1", "currency": "EUR"})


def test_no_field_of_any_contract_is_a_float():
    assert [name for name, text in WRITTEN.items() if '"type": "number"' in text] == []


def test_writing_twice_writes_the_same(tmp_path):
    names = write(tmp_path)
    first = {name: (tmp_path / name).read_bytes() for name in names}
    assert {name: (tmp_path / name).read_bytes() for name in write(tmp_path)} == first
    assert len(names) == len(CONTRACTS)
