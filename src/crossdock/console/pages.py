"""The pages: what needs a person, where every order is, why it waits, and the forms that settle a case."""

from __future__ import annotations

import json
from typing import Annotated, Any, get_args

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter, RawBody
from litestar.response import Redirect

from crossdock.console import acting
from crossdock.console.attention import attention
from crossdock.console.face import Face
from crossdock.console.orders import OrderView, order_page, order_view, resolve
from crossdock.console.problems import HANDLERS, PAGES
from crossdock.console.rendering import ASSETS, asset
from crossdock.console.session import (
    COOKIE,
    Session,
    begin,
    local_path,
    read_form,
    require_ours,
    session_of,
)
from crossdock.domain.status import Custody, Money, Stage
from crossdock.engine.messages import subject_id
from crossdock.errors import MappingError, NotFoundError

Ask = Request[Any, Any, Any]
PAGE_ORDERS = 50
PAGE_CASES = 100
APPLIED_S = 1.5
CASE_MAX = 2**63 - 1


def console_router(face: Face) -> Router:
    """All pages; none of them is in the API's description."""
    return Router(
        "/",
        route_handlers=[
            overview_page,
            live,
            proof_page,
            live_proof,
            orders_page,
            story_page,
            live_story,
            act_on_order,
            cases_page,
            case_page,
            settle_case,
            login_page,
            login,
            logout,
            assets,
        ],
        exception_handlers=HANDLERS,
        include_in_schema=False,
    )


# The overview


@get("/", sync_to_thread=True)
def overview_page(request: Ask, face: NamedDependency[Face]) -> Response[str]:
    session = session_of(face.keys, request)
    return PAGES.page("overview.html", session=session, here="overview", **_overview(face))


@get("/live", sync_to_thread=True)
def live(request: Ask, face: NamedDependency[Face]) -> Response[str]:
    session_of(face.keys, request)
    return PAGES.page("live.html", **_overview(face))


def _overview(face: Face) -> dict[str, Any]:
    seen, proof = face.overview(), face.last_proof()
    return {"seen": seen, "proof": proof, "needs": attention(seen, proof)}


@get("/proof", sync_to_thread=True)
def proof_page(request: Ask, face: NamedDependency[Face]) -> Response[str]:
    session = session_of(face.keys, request)
    return PAGES.page("proof.html", session=session, here="proof", proof=face.proof())


@get("/live/proof", sync_to_thread=True)
def live_proof(request: Ask, face: NamedDependency[Face]) -> Response[str]:
    """Asked once a minute by the overview: it keeps the light fresh."""
    session_of(face.keys, request)
    return PAGES.page("light.html", proof=face.proof())


# Orders


@get("/orders", sync_to_thread=True)
def orders_page(
    *,
    request: Ask,
    face: NamedDependency[Face],
    q: FromQuery[str] = "",
    connection: FromQuery[str] = "",
    stage: FromQuery[str] = "",
    custody: FromQuery[str] = "",
    money: FromQuery[str] = "",
    cursor: FromQuery[str] = "",
) -> Response[Any]:
    session = session_of(face.keys, request)
    wanted = {"connection": connection, "stage": stage, "custody": custody, "money": money}
    with face.reads() as reads:
        found = order_page(face, reads, cursor=cursor, limit=PAGE_ORDERS, number=q.strip(), **wanted)
    if q and len(found.orders) == 1 and not any(wanted.values()):
        return Redirect(f"/orders/{found.orders[0].id}", status_code=303)
    choices = {
        "connection": face.sources(),
        "stage": get_args(Stage),
        "custody": get_args(Custody),
        "money": get_args(Money),
    }
    return PAGES.page(
        "orders.html", session=session, here="orders", found=found, q=q, wanted=wanted, choices=choices
    )


@get("/orders/{order:str}", sync_to_thread=True)
def story_page(request: Ask, face: NamedDependency[Face], order: FromPath[str]) -> Response[str]:
    session = session_of(face.keys, request)
    return PAGES.page("order.html", session=session, here="orders", **_story(face, order))


@get("/orders/{order:str}/live", sync_to_thread=True)
def live_story(request: Ask, face: NamedDependency[Face], order: FromPath[str]) -> Response[str]:
    session_of(face.keys, request)
    return PAGES.page("story.html", **_story(face, order))


def _story(face: Face, order: str) -> dict[str, Any]:
    with face.reads() as reads:
        subject = resolve(face, reads, order)
        view: OrderView = order_view(reads, subject)
    return {"view": view, "story": face.timeline(subject), "once": face.hub.new_trace()}


@post("/orders/{order:str}/act", sync_to_thread=True)
def act_on_order(request: Ask, face: NamedDependency[Face], order: FromPath[str], body: RawBody) -> Redirect:
    form = _form(request, face, body)
    action = form.get("action", "")
    if action not in ("cancel_order", "release_hold"):
        raise MappingError("Choose what to do.", field="action")
    with face.reads() as reads:
        subject = resolve(face, reads, order)
    receipt = acting.act_on_order(
        face,
        subject,
        action,
        actor=form.get("actor", ""),
        reason=form.get("reason", ""),
        once=form.get("once", ""),
    )
    face.applied(receipt, APPLIED_S)
    return Redirect(f"/orders/{subject_id(subject)}", status_code=303)


# Cases


@get("/cases", sync_to_thread=True)
def cases_page(
    request: Ask,
    face: NamedDependency[Face],
    shown: Annotated[str, QueryParameter(name="state")] = "open",
    reason: FromQuery[str] = "",
    after: FromQuery[int] = 0,
) -> Response[str]:
    session = session_of(face.keys, request)
    state = shown if shown in ("open", "closed", "all") else "open"
    after = min(max(after, 0), CASE_MAX)
    with face.reads() as reads:
        cases = acting.list_cases(reads, state=state, reason=reason, after=after, limit=PAGE_CASES)
    more = cases[-1].id if len(cases) == PAGE_CASES else ""
    return PAGES.page(
        "cases.html", session=session, here="cases", cases=cases, state=state, reason=reason, more=more
    )


@get("/cases/{case:int}", sync_to_thread=True)
def case_page(request: Ask, face: NamedDependency[Face], case: FromPath[int]) -> Response[str]:
    session = session_of(face.keys, request)
    with face.reads() as reads:
        row = reads.case(case) if 0 < case <= CASE_MAX else None
        if row is None:
            raise NotFoundError(f"There is no case {case}. See the list of cases.")
        view, raw = acting.case_view(reads, row), acting.raw_of(reads, row)
    return PAGES.page(
        "case.html",
        session=session,
        here="cases",
        case=view,
        freed=bool(acting.hold_of(row)) and not view.hold,
        raw=raw,
        pretty=_pretty(raw.body) if raw is not None and raw.body is not None else "",
        once=face.hub.new_trace(),
    )


@post("/cases/{case:int}", sync_to_thread=True)
def settle_case(request: Ask, face: NamedDependency[Face], case: FromPath[int], body: RawBody) -> Redirect:
    form = _form(request, face, body)
    if not 0 < case <= CASE_MAX:
        raise NotFoundError(f"There is no case {case}.")
    receipt = acting.act_on_case(
        face,
        case,
        form.get("action", ""),
        actor=form.get("actor", ""),
        reason=form.get("reason", ""),
        body=_edited(form.get("body", "")) if form.get("action") == "edit" else b"",
        reference=form.get("reference", ""),
        once=form.get("once", ""),
    )
    face.applied(receipt, APPLIED_S)
    return Redirect(f"/cases/{case}", status_code=303)


def _edited(text: str) -> bytes:
    """A browser ends lines with CR LF, whatever they were: the wire's own is LF."""
    return text.replace("\r\n", "\n").encode("utf-8", "replace")


def _pretty(body: str) -> str:
    """JSON in readable lines, every number as it was written; anything else as it is."""
    try:
        found = json.loads(body, parse_float=_Verbatim, parse_int=_Verbatim)
        return _written(found, "")
    except (ValueError, RecursionError):
        return body


class _Verbatim(str):
    """A number's own digits."""

    __slots__ = ()


def _written(value: Any, indent: str) -> str:
    deeper = indent + "  "
    if isinstance(value, _Verbatim):
        return str(value)
    if isinstance(value, dict) and value:
        members = (
            f"{deeper}{json.dumps(key, ensure_ascii=False)}: {_written(item, deeper)}"
            for key, item in value.items()
        )
        return "{\n" + ",\n".join(members) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(deeper + _written(item, deeper) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


# Coming and going


@get("/login", sync_to_thread=False)
def login_page(then: FromQuery[str] = "/") -> Response[str]:
    return PAGES.page("login.html", then=local_path(then), wrong=False)


@post("/login", sync_to_thread=True)
def login(request: Ask, face: NamedDependency[Face], body: RawBody) -> Response[Any]:
    form = read_form(request, body)
    then = local_path(form.get("then", "/"))
    name = face.keys.owner(form.get("token", "").strip())
    if not name:
        return PAGES.page("login.html", status=401, then=then, wrong=True)
    response = Redirect(then, status_code=303)
    response.set_cookie(begin(face.keys, name, request))
    return response


@post("/logout", sync_to_thread=True)
def logout(request: Ask, face: NamedDependency[Face], body: RawBody) -> Response[Any]:
    _form(request, face, body)
    response = Redirect("/login", status_code=303)
    response.delete_cookie(COOKIE)
    return response


@get("/assets/{name:str}", sync_to_thread=False)
def assets(name: FromPath[str]) -> Response[bytes]:
    if name not in ASSETS:
        raise NotFoundError("There is no such file.")
    return asset(name)


def _form(request: Ask, face: Face, body: bytes) -> dict[str, str]:
    """The fields of a form of this session."""
    session: Session = session_of(face.keys, request)
    form = read_form(request, body)
    require_ours(session, form)
    return form
