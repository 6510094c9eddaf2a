"""What an order, a ticket or a store's day is in at the ERP: documents with their facts, facts with their documents."""

from __future__ import annotations

from typing import Any

import msgspec

from crossdock.domain.postings import postings_of
from crossdock.domain.process import OrderProcess
from crossdock.engine.messages import subject_id
from crossdock.errors import NotFoundError
from crossdock.model.finance import Posting
from crossdock.stores.sqlite.reads import Reads


def postings_view(reads: Reads, subject: int) -> list[Posting]:
    """The postings of a subject. Of a ticket that is summed, the one of its store's day that holds it is among them."""
    process = _process(reads.order(subject))
    if process is None:
        raise NotFoundError(f"There is no order {subject_id(subject)}. Look it up by the channel's number.")
    day = None
    if process.ticket:
        found = reads.find(process.ticket, [process.connection])
        day = _process(reads.order(found[0])) if found else None
    return list(postings_of(process, day))


def _process(row: dict[str, Any] | None) -> OrderProcess | None:
    return msgspec.convert(row["process"], OrderProcess) if row is not None and "process" in row else None
