"""A person is forgotten: what is sealed of a subject is destroyed, and words that may quote it go with it."""

from __future__ import annotations

from crossdock.engine.masking import masked
from crossdock.stores.postgres.session import Session
from crossdock.stores.vault import Vault


def erase(session: Session, vault: Vault, subject: int, before: bytes) -> None:
    """Inside a transaction that has locked the subject, whose salt is `before`."""
    salt = vault.salt()
    own = session.run("own_bodies", subject)
    for number, text in session.run("case_texts", subject):
        session.run("put_case_text", number, masked(text))
    for name in ("bodies", "bodies_before_edit", "parties", "attempts"):
        session.run(f"erase_{name}", subject)
    session.run("renew_salt", subject, salt)
    for message, sealed in own:
        session.run("put_body", message, vault.seal(salt, vault.open(before, sealed)))
