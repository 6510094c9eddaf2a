"""`/v1/cases`: what waits for a person, with everything needed to settle it."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from crossdock.console.acting import CaseView, Raw, act_on_case, case_view, list_cases, raw_of
from crossdock.console.face import Face
from crossdock.engine.tracing import trace_headers
from crossdock.errors import MappingError, NotFoundError
from crossdock.gateway.orders import Act, Asked, check_key
from crossdock.gateway.problems import ACTING, READING
from crossdock.gateway.strict import Strict

NUMBER_MAX = 2**63 - 1
Key = Annotated[str, HeaderParameter(name="Idempotency-Key")]


class CasePage(msgspec.Struct, frozen=True, kw_only=True):
    """Cases, oldest first. `next`: pass it as `after` to go on; "" where there are no more."""

    cases: list[CaseView]
    next: str = ""


class CaseDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One case, and what it is about, as it stands: for editing."""

    case: CaseView
    raw: Raw | None


class Edit(Act, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The message's new body, as text or as base64; the old one is kept beside it."""

    body: str = ""
    body_base64: str = ""


class Happened(Act, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The partner's own name of what did happen there."""

    reference: str = ""


class CaseDone(msgspec.Struct, frozen=True, kw_only=True):
    """The action is kept, durably, and carried out at once, though after this answer."""

    message: str
    case: str


class CasesController(Controller):
    """Cases."""

    path = "/cases"
    tags = ["Cases"]  # noqa: RUF012 - the framework declares it so

    @get("/", sync_to_thread=True, summary="List cases", responses=READING)
    def list_cases(
        self,
        face: NamedDependency[Face],
        shown: Annotated[Literal["open", "closed", "all"], QueryParameter(name="state")] = "open",
        reason: Annotated[str, QueryParameter(max_length=200)] = "",
        after: Annotated[int, QueryParameter(ge=0, le=NUMBER_MAX)] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    ) -> CasePage:
        """Oldest first. `reason`: the open ones of that reason."""
        with face.reads() as reads:
            cases = list_cases(reads, state=shown, reason=reason, after=after, limit=limit)
        return CasePage(cases=cases, next=cases[-1].id if len(cases) == limit else "")

    @get("/{case:int}", sync_to_thread=True, summary="Read a case", responses=READING)
    def read(self, face: NamedDependency[Face], case: FromPath[int]) -> CaseDetail:
        """With the bytes of its message as they came, or the call that the partner did not take."""
        with face.reads() as reads:
            row = reads.case(case) if 0 < case <= NUMBER_MAX else None
            if row is None:
                raise NotFoundError(f"There is no case {case}. `GET /v1/cases?state=all` lists them.")
            return CaseDetail(case=case_view(reads, row), raw=raw_of(reads, row))

    @post(
        "/{case:int}/retry",
        dto=Strict[Act],
        return_dto=None,
        status_code=202,
        sync_to_thread=True,
        responses=ACTING,
    )
    def retry(
        self,
        request: Asked,
        face: NamedDependency[Face],
        case: FromPath[int],
        data: JSONBody[Act],
        key: Key = "",
    ) -> CaseDone:
        """Try the message or the call again, as it is."""
        return _act(face, case, "retry", data, key, request=request)

    @post(
        "/{case:int}/edit",
        dto=Strict[Edit],
        return_dto=None,
        status_code=202,
        sync_to_thread=True,
        responses=ACTING,
    )
    def edit(
        self,
        request: Asked,
        face: NamedDependency[Face],
        case: FromPath[int],
        data: JSONBody[Edit],
        key: Key = "",
    ) -> CaseDone:
        """Give the message another body and try it again; what waits behind it follows in order."""
        return _act(face, case, "edit", data, key, body=_body(data), request=request)

    @post(
        "/{case:int}/resolve",
        dto=Strict[Act],
        return_dto=None,
        status_code=202,
        sync_to_thread=True,
        responses=ACTING,
    )
    def resolve(
        self,
        request: Asked,
        face: NamedDependency[Face],
        case: FromPath[int],
        data: JSONBody[Act],
        key: Key = "",
    ) -> CaseDone:
        """Close the case. Its message is dropped, its call given up: settle by hand what they were for."""
        return _act(face, case, "resolve", data, key, request=request)

    @post(
        "/{case:int}/release",
        dto=Strict[Act],
        return_dto=None,
        status_code=202,
        sync_to_thread=True,
        responses=ACTING,
    )
    def release(
        self,
        request: Asked,
        face: NamedDependency[Face],
        case: FromPath[int],
        data: JSONBody[Act],
        key: Key = "",
    ) -> CaseDone:
        """Release the hold that the case is about: the order goes on, or the store's day is posted with its difference."""
        return _act(face, case, "release", data, key, request=request)

    @post(
        "/{case:int}/done",
        dto=Strict[Happened],
        return_dto=None,
        status_code=202,
        sync_to_thread=True,
        responses=ACTING,
    )
    def done(
        self,
        request: Asked,
        face: NamedDependency[Face],
        case: FromPath[int],
        data: JSONBody[Happened],
        key: Key = "",
    ) -> CaseDone:
        """Say that the call did happen, under this reference of the partner's."""
        return _act(face, case, "done", data, key, reference=data.reference, request=request)


def _act(
    face: Face,
    case: int,
    action: str,
    data: Act,
    key: str,
    *,
    request: Asked,
    body: bytes = b"",
    reference: str = "",
) -> CaseDone:
    if key:
        check_key(key)
    if not 0 < case <= NUMBER_MAX:
        raise NotFoundError(f"There is no case {case}.")
    receipt = act_on_case(
        face,
        case,
        action,
        actor=data.actor,
        reason=data.reason,
        body=body,
        reference=reference,
        once=key,
        caller=trace_headers(request.headers),
    )
    return CaseDone(message=str(receipt.message), case=str(case))


def _body(edit: Edit) -> bytes:
    if edit.body and edit.body_base64:
        raise MappingError("body: send it as text or as base64, not as both.", field="body")
    if edit.body:
        return edit.body.encode()
    try:
        return base64.b64decode(edit.body_base64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MappingError("body_base64: this is no base64.", field="body_base64") from error
