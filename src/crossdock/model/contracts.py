"""The published contracts as JSON Schema: `python -m crossdock.model.contracts [FOLDER]` writes them, one file each."""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from crossdock import model

CONTRACTS: dict[str, Any] = {
    "address": model.Address,
    "cancellation": model.Cancellation,
    "case": model.Case,
    "cloud_event": model.CloudEvent,
    "fulfilment_request": model.FulfilmentRequest,
    "legal_entity": model.LegalEntity,
    "listing": model.Listing,
    "location": model.Location,
    "order": model.Order,
    "party": model.Party,
    "payment": model.Payment,
    "payout": model.Payout,
    "posting": model.Posting,
    "price": model.Price,
    "product": model.Product,
    "refund": model.Refund,
    "report": model.Report,
    "reservation": model.Reservation,
    "return": model.Return,
    "settlement": model.Settlement,
    "settlement_line": model.SettlementLine,
    "shipment": model.Shipment,
    "stock_level": model.StockLevel,
    "stock_movement": model.StockMovement,
    "store_day": model.StoreDay,
    "tax_rate": model.TaxRate,
    "till_ticket": model.TillTicket,
}
"""Every public contract by its name: the name of its file, and of its `$id`."""


def schemas() -> dict[str, str]:
    """Return file name and text of every contract, the same text for the same code, draft 2020-12.

    Text is JSON with keys in the order of the code. A reader must accept fields that it does not know.
    """
    return {f"{name}.json": _text(name, contract) for name, contract in CONTRACTS.items()}


def write(folder: Path) -> tuple[str, ...]:
    """Write every contract to `folder` and return the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = schemas()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(texts)


def _text(name: str, contract: Any) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:crossdock:contract:{name}:1",
        **tidy(msgspec.json.schema(contract)),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def tidy(value: Any) -> Any:
    """Take the indentation out of descriptions: Python 3.13 does so itself, older ones do not."""
    if isinstance(value, list):
        return [tidy(item) for item in value]
    if isinstance(value, dict):
        return {
            key: inspect.cleandoc(item) if key == "description" and isinstance(item, str) else tidy(item)
            for key, item in value.items()
        }
    return value


def main(target: Path) -> None:
    """Write contracts and the AsyncAPI document of the events."""
    from crossdock.model import asyncapi

    print(f"{len(write(target))} contracts written to {target}")
    (target / asyncapi.FILE).write_text(asyncapi.text(), encoding="utf-8")
    print(f"{asyncapi.FILE} written to {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "contracts"))
