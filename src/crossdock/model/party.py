"""Who is who: addresses, buyers, and the legal entities that sell and own stock."""

from typing import Literal

from crossdock.model.base import Model
from crossdock.model.ids import ExternalRef, LegalEntityId, PartyId

PartyKind = Literal["guest", "customer", "company", "unknown"]


class Address(Model, frozen=True, kw_only=True):
    """Hold a postal address as its source gave it; nothing is required, a masked one has a city at most.

    `country` is ISO 3166-1 alpha-2, `region` the code of its subdivision where the source has one. `masked` says
    that the marketplace keeps parts back; a pickup point is named by `point`.
    """

    name: str = ""
    company: str = ""
    lines: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    phone: str = ""
    email: str = ""
    point: str = ""
    masked: bool = False


class TaxId(Model, frozen=True, kw_only=True):
    """Hold a tax registration of a party or entity: the scheme (vat, ein, gst ...), where it holds, its number."""

    number: str
    scheme: str = "vat"
    jurisdiction: str = ""


class Party(Model, frozen=True, kw_only=True):
    """Hold a buyer or other person: a guest, a known customer, a company, or one masked by a marketplace.

    Personal through and through: kept encrypted under the order's key, never logged.
    """

    kind: PartyKind = "unknown"
    id: PartyId = PartyId("")
    external_id: str = ""
    name: str = ""
    company: str = ""
    email: str = ""
    phone: str = ""
    tax_ids: tuple[TaxId, ...] = ()
    address: Address | None = None
    language: str = ""
    masked: bool = False


class LegalEntity(Model, frozen=True, kw_only=True):
    """Hold a company of ours: what it is called, the currency of its books, where it is registered for tax."""

    id: LegalEntityId
    name: str
    country: str = ""
    currency: str = ""
    tax_ids: tuple[TaxId, ...] = ()
    address: Address | None = None
    external_refs: tuple[ExternalRef, ...] = ()
