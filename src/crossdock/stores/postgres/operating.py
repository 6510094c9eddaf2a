"""A person's word on a case, carried out on the message or effect that it is about."""

from __future__ import annotations

import msgspec

from crossdock.engine.messages import HUB, LANE_FREE, SETTLED, Arrival, Settled
from crossdock.engine.port import Unpark
from crossdock.errors import NotFoundError
from crossdock.stores.postgres.intake import Intake
from crossdock.stores.postgres.outbox import left_outbox, next_of_keys
from crossdock.stores.postgres.session import Session
from crossdock.stores.postgres.writing import leave
from crossdock.stores.vault import Vault


def unpark(session: Session, vault: Vault, intake: Intake, word: Unpark, now: int) -> None:
    """Inside a transaction. Where somebody else was quicker, or the facts were, nothing is done."""
    found = session.run("read_case", word.case)
    if not found:
        raise NotFoundError(f"There is no case {word.case}.")
    subject, _, about, source, message, effect, _ = found[0]
    session.run("lock_subjects", [subject])
    if not session.change("sign_case", word.case, word.actor, _text(word), now):
        return
    session.run("release_held", [subject], now)
    if effect:
        _effect(session, intake, word, effect, now)
    elif about == f"message {message}":
        _message(session, vault, word, (subject, source, message), now)


def _message(session: Session, vault: Vault, word: Unpark, about: tuple[int, str, int], now: int) -> None:
    subject, _, message = about
    if word.action == "edit":
        salt = session.run("find_salts", [subject])[0][1]
        session.run("keep_body", message, word.actor, now)
        session.run("put_body", message, vault.seal(salt, word.body))
        session.run("put_size", message, len(word.body))
    if word.action in ("retry", "edit"):
        session.run("retry_message", message)
    else:
        leave(session, about, "resolved", _text(word), now)


def _effect(session: Session, intake: Intake, word: Unpark, effect: int, now: int) -> None:
    found = session.run("read_effect", effect)
    if not found:
        return
    connection, operation, subject, intent, attempt, _, _ = found[0]
    if word.action == "retry":
        session.run("retry_effect", effect)
        return
    outcome = "done" if word.action == "done" else "dropped"
    session.run("leave_outbox", [effect])
    left_outbox(session, [(subject, connection, operation, intent, outcome, word.reference, attempt)], now)
    if attempt > 1:
        session.run("close_cases_of_effects", [subject], [effect], now)
    next_of_keys(session, [(subject, connection)], now)
    settled = Settled(
        effect=effect,
        connection=connection,
        operation=operation,
        intent=intent,
        outcome="done" if outcome == "done" else "refused",
        code="" if outcome == "done" else "dropped",
        reference=word.reference,
        reason=_text(word),
        attempts=attempt,
    )
    body = msgspec.json.encode(settled)
    reply = Arrival(source=HUB, kind=SETTLED, body=body, subject=subject, lane=LANE_FREE)
    intake.accept(session, [reply], now)


def _text(word: Unpark) -> str:
    return f"{word.action} by {word.actor}: {word.reason}"
