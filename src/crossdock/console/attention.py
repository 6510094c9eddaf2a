"""What needs a person, in sentences: the first thing on the first page."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from crossdock.console.face import Proof
from crossdock.console.overview import Overview


class Need(msgspec.Struct, frozen=True):
    """One thing to look at: how urgent ("bad" or "warn"), what it is, and where it is settled."""

    level: str
    text: str
    link: str


def attention(seen: Overview, proof: Proof | None) -> list[Need]:
    """The urgent first; nothing where all is well."""
    needs: list[Need] = []
    if proof is not None and not proof.ok:
        wrong = next(check for check in proof.checks if not check.ok)
        needs.append(Need("bad", f"The books do not balance: {wrong.text}.", "/proof"))
    needs += [
        Need("bad", f"Messages of {source.source} are not all accounted for.", "/proof")
        for source in seen.sources
        if not source.balanced
    ]
    for partner in seen.connections:
        if partner.state in ("not_answering", "paused"):
            calls = f" {partner.waiting} calls wait for it." if partner.waiting else ""
            needs.append(Need("bad", f"{partner.name} {partner.text}.{calls}", "/orders"))
        elif partner.state == "slow":
            needs.append(Need("warn", f"{partner.name} {partner.text}.", "/orders"))
    for case in seen.cases:
        many = "1 case" if case.count == 1 else f"{case.count} cases"
        needs.append(Need("warn", f"{many}: {case.text}.", f"/cases?reason={quote(case.reason)}"))
    return needs
