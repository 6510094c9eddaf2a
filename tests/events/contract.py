"""Holds an event to its published contract."""

import msgspec

from crossdock.model.event_types import EVENT_TYPES


def require_contract(type_, data):
    """Fail unless the event's data is what the contract of its type says, with no field that it does not name."""
    contract = EVENT_TYPES.get(type_)
    assert contract is not None, f"{type_} has no contract; give it one in crossdock/model/event_types.py"
    plain = msgspec.json.decode(msgspec.json.encode(data))
    try:
        msgspec.convert(plain, contract)
    except msgspec.ValidationError as error:
        raise AssertionError(f"{type_} does not fit its contract: {error}: {plain}") from error
    unknown = set(plain) - {field.encode_name for field in msgspec.structs.fields(contract)}
    assert not unknown, f"{type_} has fields that its contract does not name: {sorted(unknown)}"
