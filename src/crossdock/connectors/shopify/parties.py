"""Who buys and where it goes."""

from __future__ import annotations

from crossdock.connectors.shopify import wire
from crossdock.connectors.shopify.words import optional_id
from crossdock.model import Address, Party


def address(body: wire.AddressBody | None) -> Address | None:
    """An address as Shopify gives it; `name` repeats first and last name, which are used where it is empty."""
    if body is None:
        return None
    return Address(
        name=body.name or _full_name(body.first_name, body.last_name),
        company=body.company or "",
        lines=tuple(line for line in (body.address1, body.address2) if line),
        city=body.city or "",
        region=body.province_code or body.province or "",
        postal_code=body.zip or "",
        country=body.country_code or body.country or "",
        phone=body.phone or "",
    )


def party(body: wire.OrderBody) -> Party | None:
    """The buyer: a company, a known customer or a guest; None where Shopify tells nothing of them (a till sale)."""
    company, customer = body.company, body.customer
    email = body.email or body.contact_email or ""
    phone = body.phone or ""
    if customer is None and company is None:
        if not email and not phone:
            return None
        return Party(kind="guest", email=email, phone=phone, language=body.customer_locale or "")
    known = customer or wire.Customer()
    return Party(
        kind="company" if company is not None else "customer",
        external_id=optional_id(known.id, "customer.id"),
        name=_full_name(known.first_name, known.last_name),
        company="" if company is None else company.name or optional_id(company.id, "company.id"),
        email=email or known.email or "",
        phone=phone or known.phone or "",
        language=body.customer_locale or "",
    )


def _full_name(first: str | None, last: str | None) -> str:
    return f"{first or ''} {last or ''}".strip()
