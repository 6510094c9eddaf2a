"""Many acknowledgements in one document: an alias and an outcome for each order."""

import re

import msgspec
import pytest

from crossdock.connectors.shopify import SPEC
from crossdock.connectors.shopify.graphql import tags
from crossdock.errors import ContractError, CredentialsError, RejectedError, ThrottledError, UnclearError
from crossdock.model.commands import Acknowledge
from crossdock.sdk.calls import Done, Intent, Refused, Response, Results
from tests.connectors.driving import canned, drive, reply
from tests.connectors.shopify_payloads import CONNECTOR, line, order, read, shop

ALIAS = re.compile(r"(\w+): tagsAdd\(id: \$(\w+), tags: \$tags\)")
SINGLE_QUERY_POINTS_MAX, MUTATION_POINTS = 1_000, 10


def commands(*external_ids):
    held = read(order(line()))
    return tuple(Acknowledge(order=msgspec.structs.replace(held, external_id=id_)) for id_ in external_ids)


def acknowledge(answer, *asked):
    intents = tuple(Intent(key=f"k{n}") for n in range(len(asked)))
    outcome = drive(CONNECTOR.acknowledge(asked, intents), answer)
    assert isinstance(outcome, Results)
    return outcome.by_key


def tagged(*errors):
    return {"node": None, "userErrors": [{"field": ["id"], "message": message} for message in errors]}


def test_many_orders_are_tagged_in_one_request():
    wire, orders = shop()
    asked = tuple(Acknowledge(order=held) for held in orders)
    for again in (False, True):
        outcome = acknowledge(wire, *asked)
        assert outcome == {f"k{n}": Done(reference=held.external_id) for n, held in enumerate(orders)}
        assert wire.simulator.state()["counts"]["tags_again"] == (len(orders) if again else 0)
    assert len(wire.requests) == 2
    for held in orders:
        assert wire.simulator.order(int(held.external_id))["tags"] == "crossdock"


def test_the_document_has_an_alias_and_a_variable_for_each_order():
    wire, _ = shop(documents=False)
    acknowledge(wire, *commands("1", "2", "3", "4"))
    sent = msgspec.json.decode(wire.requests[0].body)
    assert ALIAS.findall(sent["query"]) == [(f"a{n}", f"i{n}") for n in range(4)]
    declared = re.findall(r"\$(\w+): ", sent["query"].split("{", 1)[0])
    assert sorted(declared) == sorted(sent["variables"]) == ["i0", "i1", "i2", "i3", "tags"]
    assert sent["operationName"] == re.match(r"mutation (\w+)\(", sent["query"])[1]
    assert sent["query"].count("{") == sent["query"].count("}")
    assert wire.simulator.state(documents=False)["counts"]["tags"] == 4
    assert tags(4) is tags(4)


def test_a_full_document_costs_less_than_shopify_takes():
    batch_max = SPEC.operation("acknowledge").batch_max
    assert 1 < batch_max * MUTATION_POINTS <= SINGLE_QUERY_POINTS_MAX


def test_an_order_that_is_unknown_or_has_no_id_is_refused_alone():
    wire, orders = shop()
    nameless = Acknowledge(order_id="CD0000000009")
    outcome = acknowledge(
        wire, Acknowledge(order=orders[0]), *commands("1"), nameless, Acknowledge(order=orders[1])
    )
    assert [type(outcome[f"k{n}"]) for n in range(4)] == [Done, Refused, Refused, Done]
    assert (outcome["k1"].reason, outcome["k1"].field) == ("Order does not exist", "id")
    assert (outcome["k2"].code, outcome["k2"].field) == ("rejected", "order")
    assert acknowledge(wire, nameless, nameless).keys() == {"k0", "k1"}
    assert len(wire.requests) == 1


def test_an_alias_that_is_null_or_left_out_has_no_outcome_and_the_others_stand():
    error = {"message": "Internal error", "path": ["a1"], "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
    partly = reply({"data": {"a0": tagged(), "a1": None, "a3": tagged("no")}, "errors": [error]})
    outcome = acknowledge(canned(partly), *commands("10", "11", "12", "13"))
    assert outcome == {"k0": Done(reference="10"), "k3": Refused(reason="no", field="id")}


def test_a_batch_of_one_is_asked_like_a_single_one():
    wire, orders = shop()
    assert acknowledge(wire, Acknowledge(order=orders[0])) == {"k0": Done(reference=orders[0].external_id)}
    assert msgspec.json.decode(wire.requests[0].body)["operationName"] == "tag"
    with pytest.raises(RejectedError):
        acknowledge(wire, Acknowledge(order_id="CD0000000009"))


def failing(code):
    return reply({"data": None, "errors": [{"message": "no", "extensions": {"code": code}}]})


@pytest.mark.fault(18)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failing("THROTTLED"), ThrottledError),
        (failing("ACCESS_DENIED"), CredentialsError),
        (failing("INTERNAL_SERVER_ERROR"), UnclearError),
        (
            reply(
                {
                    "data": {"a0": None, "a1": None},
                    "errors": [{"message": "no", "extensions": {"code": "TIMEOUT"}}],
                }
            ),
            UnclearError,
        ),
        (reply({"errors": "slow down"}, 429), ThrottledError),
        (reply({}, 502), UnclearError),
    ],
)
def test_what_puts_off_the_whole_document_puts_off_every_order_in_it(answer, error):
    with pytest.raises(error):
        acknowledge(canned(answer), *commands("1", "2"))


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    "answer",
    [
        reply({"data": None, "errors": [{"message": "Variable $i1 of type ID! was provided invalid value"}]}),
        reply({"errors": "Not Found"}, 404),
        reply({"data": None}),
        reply({}),
        reply({"data": {"a0": {"userErrors": "?"}, "a1": None}}),
        Response(status=200, body=b"<html>maintenance</html>"),
        Response(status=200, body=b""),
    ],
)
def test_a_document_that_is_not_answered_is_done_for_nobody_and_a_contract_error_once_it_is_alone(answer):
    assert acknowledge(canned(answer), *commands("1", "2")) == {}
    with pytest.raises(ContractError):
        acknowledge(canned(answer), *commands("1"))
