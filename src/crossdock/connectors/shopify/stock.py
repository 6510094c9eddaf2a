"""Quantities that Shopify is to publish: SKUs to inventory items, locations to theirs, and one outcome for each SKU."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from crossdock.connectors.shopify import graphql
from crossdock.connectors.shopify.graphql import UserError
from crossdock.connectors.shopify.words import shop
from crossdock.model.commands import SetQuantity
from crossdock.sdk.calls import Done, Intent, Refused, Request, Response, Results

SKUS_PER_QUERY_MAX = 50
"""SKUs that one search asks for: its text and its cost are limited."""
TRIES_MAX = 3
"""How often a batch is sent again without the SKUs that Shopify refused in it: one bad one refuses all."""

Outcomes = dict[str, Done | Refused]


class Places(msgspec.Struct, frozen=True):
    """Our locations and Shopify's."""

    by_ours: Mapping[str, str]
    default: str

    def theirs(self, ours: str) -> str:
        """Shopify's id of one of our locations, the default where none is named, "" where it is not mapped."""
        return self.by_ours.get(ours, "") if ours else self.default


class _ItemNode(msgspec.Struct, frozen=True, gc=False):
    id: str
    sku: str | None = None


class _PageInfo(msgspec.Struct, rename="camel", frozen=True, gc=False):
    has_next_page: bool = False
    end_cursor: str | None = None


class _Items(msgspec.Struct, rename="camel", frozen=True, gc=False):
    nodes: list[_ItemNode]
    page_info: _PageInfo = _PageInfo()


class _Found(msgspec.Struct, rename="camel", frozen=True, gc=False):
    inventory_items: _Items


class _SetPayload(msgspec.Struct, rename="camel", frozen=True, gc=False):
    user_errors: list[UserError] = []


class _Set(msgspec.Struct, rename="camel", frozen=True, gc=False):
    inventory_set_quantities: _SetPayload


def places(settings: Mapping[str, str]) -> Places:
    """Read the locations of a connection; a shop with one mapped location needs no default."""
    mapped = shop(settings).locations
    default = settings.get("location_id", "") or (next(iter(mapped)) if len(mapped) == 1 else "")
    return Places({ours: theirs for theirs, ours in mapped.items()}, default)


def set_quantities(
    version: str, places: Places, commands: Sequence[SetQuantity], intent: Intent
) -> Generator[Request, Response, Results]:
    """Set every quantity that can be set; a SKU that Shopify does not know, or knows twice, is refused alone."""
    outcomes: Outcomes = {}
    items = yield from _find(version, [command.sku for command in commands])
    ready: list[tuple[SetQuantity, dict[str, Any]]] = []
    for command in commands:
        line = _line(command, items.get(command.sku, []), places)
        if isinstance(line, Refused):
            outcomes[command.sku] = line
        else:
            ready.append((command, line))
    for _ in range(TRIES_MAX):
        if not ready:
            break
        body = {
            "name": "available",
            "reason": "correction",
            "referenceDocumentUri": f"gid://crossdock/Effect/{quote(intent.key, safe='')}",
            "ignoreCompareQuantity": True,
            "quantities": [line for _, line in ready],
        }
        answer = yield from graphql.ask(version, graphql.SET_QUANTITIES, {"input": body}, _Set)
        errors = answer.inventory_set_quantities.user_errors
        if not errors:
            outcomes.update((command.sku, Done()) for command, _ in ready if command.sku not in outcomes)
            break
        ready = _without_refused(ready, errors, outcomes)
    return Results(by_key=outcomes)


def _find(version: str, skus: Sequence[str]) -> Generator[Request, Response, dict[str, list[str]]]:
    """The inventory items of SKUs. Shopify's search finds more than was asked for, so the SKU is compared here."""
    found: dict[str, list[str]] = {}
    unique = list(dict.fromkeys(skus))
    for start in range(0, len(unique), SKUS_PER_QUERY_MAX):
        part = unique[start : start + SKUS_PER_QUERY_MAX]
        wanted = set(part)
        query = " OR ".join(f'sku:"{_escaped(sku)}"' for sku in part)
        after: str | None = None
        while True:
            variables = {"query": query, "after": after}
            page = (yield from graphql.ask(version, graphql.ITEMS, variables, _Found)).inventory_items
            for node in page.nodes:
                if node.sku in wanted:
                    found.setdefault(node.sku or "", []).append(node.id)
            if not page.page_info.has_next_page or page.page_info.end_cursor in (None, after):
                break
            after = page.page_info.end_cursor
    return found


def _line(command: SetQuantity, items: list[str], places: Places) -> dict[str, Any] | Refused:
    place = places.theirs(command.location)
    if not place:
        return Refused(
            reason=f"No location of Shopify's is mapped to {command.location!r}. Add it to `locations`.",
            code="unknown_location",
            field="locationId",
        )
    if len(items) != 1:
        why = "does not know" if not items else f"has {len(items)} inventory items with"
        return Refused(
            reason=f"Shopify {why} SKU {command.sku}. Correct it in the shop.",
            code="ambiguous_sku" if items else "unknown_sku",
            field="sku",
        )
    return {
        "inventoryItemId": items[0],
        "locationId": f"gid://shopify/Location/{place}",
        "quantity": command.quantity,
    }


def _without_refused(
    ready: list[tuple[SetQuantity, dict[str, Any]]], errors: list[UserError], outcomes: Outcomes
) -> list[tuple[SetQuantity, dict[str, Any]]]:
    """Note what Shopify refused, by its place in the list; an error without a place refuses all."""
    refused: dict[int, Refused] = {}
    for error in errors:
        numbers = [int(part) for part in error.field or () if part.isdigit()]
        if not numbers or numbers[0] >= len(ready):
            outcomes.update((command.sku, error.refused()) for command, _ in ready)
            return []
        refused.setdefault(numbers[0], error.refused())
    outcomes.update((ready[n][0].sku, refusal) for n, refusal in refused.items())
    return [entry for n, entry in enumerate(ready) if n not in refused]


def _escaped(sku: str) -> str:
    return sku.replace("\\", "\\\\").replace('"', '\\"')
