"""A hub whose only order is taken."""

import msgspec

from tests.flows.facts import told
from tests.flows.hub import Hub, make_plan


def taken(**changes: object) -> Hub:
    hub = Hub(make_plan(**changes))
    hub.stock(SKU_1=5, SKU_2=5)
    hub.tell("shop", told())
    return hub


def commands(hub: Hub, operation: str) -> list[dict]:
    return [
        msgspec.json.decode(stage.command)
        for (_, _, name, _), stage in hub.effects.items()
        if name == operation
    ]
