import json
import re

import pytest

from crossdock.config import keys
from tests.console.pages import Console
from tests.gateway.serving import order

PAGES = ["/", "/orders", "/cases", "/proof", "/orders/CD0000000001", "/cases/1"]
EVIL = '<script>alert("x")</script>'


@pytest.mark.parametrize("path", PAGES)
def test_every_page_wants_a_login_and_comes_back_to_itself(api, path):
    reply = Console(api).get(path)
    assert reply.status == 303
    assert reply.headers["location"] == "/login?then=" + path.replace("/", "%2F")


@pytest.mark.parametrize("path", ["/live", "/live/proof", "/orders/CD0000000001/live"])
def test_a_part_of_a_page_says_that_the_session_is_over(api, path):
    assert Console(api).get(path).status == 401


def test_a_session_is_a_signed_cookie_that_scripts_and_other_sites_never_get(api):
    reply = Console(api).send("/login", token=api.token, then="/cases")
    assert (reply.status, reply.headers["location"]) == (303, "/cases")
    (cookie,) = reply.cookies
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert api.token not in cookie
    assert "Secure" not in cookie
    behind = Console(api).send("/login", {"x_forwarded_proto": "https"}, token=api.token)
    assert "Secure" in behind.cookies[0]


@pytest.mark.parametrize("token", ["", "wrong", "t\u00f6ken", "x" * 9000])
def test_a_wrong_token_opens_nothing(api, token):
    reply = Console(api).send("/login", token=token)
    assert reply.status == 401
    assert "That is no token of this hub" in reply.text
    assert not reply.cookies


@pytest.mark.parametrize(
    "then", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"]
)
def test_a_login_never_leads_to_another_site(api, then):
    assert Console(api).send("/login", token=api.token, then=then).headers["location"] == "/"


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v[:-1] + ("1" if v[-1] == "0" else "0"),
        lambda v: v.replace(".", "x"),
        lambda v: "a.9e9.b",
        lambda v: "\u00fc",
    ],
)
def test_a_cookie_that_was_tampered_with_is_worth_nothing(console, change):
    name, _, value = console.cookie.partition("=")
    changed = change(value)
    assert changed != value
    console.cookie = f"{name}={changed}"
    assert console.get("/").status == 303


def test_a_session_ends_with_its_token(api):
    path = api.hub.config.hub.tokens
    before = path.read_bytes()
    visitor = Console(api).log_in(keys.add_token(path, "Bob"))
    assert visitor.get("/").status == 200
    path.write_bytes(before)
    assert visitor.get("/").status == 303


def test_logging_out_takes_the_cookie_away(console):
    reply = console.send("/logout", csrf=console.csrf())
    assert (reply.status, reply.headers["location"]) == (303, "/login")
    assert 'crossdock_session=""' in reply.cookies[0] or "Max-Age=0" in reply.cookies[0]


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({}, ""),
        ({}, "0" * 48),
        ({"origin": "https://evil.example"}, None),
        ({"sec_fetch_site": "cross-site"}, None),
        ({"origin": "null"}, None),
    ],
)
def test_a_form_from_elsewhere_is_refused(api, console, headers, csrf):
    _, case = api.parked("CS-1")
    fields = {"action": "retry", "actor": "Ann", "reason": "r"}
    reply = console.send(
        f"/cases/{case['id']}", headers, csrf=csrf if csrf is not None else console.csrf(), **fields
    )
    assert reply.status == 403
    assert not api.cases(case["order"], "closed")


@pytest.mark.parametrize("path", ["/", "/orders", "/cases", "/proof"])
def test_pages_tell_the_browser_to_run_nothing_but_ours(console, path):
    reply = console.get(path)
    assert reply.status == 200
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?! src=)|\son\w+=|style=", reply.text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', reply.text):
        assert address.startswith("/"), address
    for asset in set(re.findall(r'"(/assets/[^"]+)"', reply.text)):
        assert console.get(asset).status == 200


@pytest.mark.fault(55)
def test_a_buyer_named_script_is_text(api, console):
    body = order(
        external_id=EVIL,
        number=EVIL,
        buyer={"name": EVIL},
        holds=[{"code": "odd", "reason": EVIL}],
        version="1",
    )
    id_ = api.post("/v1/orders", body, idempotency_key="evil").json["id"]
    api.until(lambda: api.get(f"/v1/orders/{id_}").json["holds"])
    case = next(c for c in api.cases(id_) if c["reason"] == "order.held")
    for path in (f"/orders/{id_}", "/orders", f"/cases/{case['id']}", "/cases", "/"):
        page = console.get(path)
        assert page.status == 200
        assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in console.get(f"/orders/{id_}").text


def test_the_overview_says_what_needs_a_person(api, console):
    id_ = api.order("ov", external_id="OV-1")
    api.parked("OV-2")
    for words in ("cannot be understood", "waits for stock", "adds up"):
        assert api.until(lambda words=words: _page_with(console, "/live", words))
    story = console.get(f"/orders/{id_}/live").text
    assert "What it waits for" in story
    assert "order taken" in story


def test_the_proof_is_a_page(console):
    assert "every level equals its movements" in console.get("/proof").text
    assert "balanced" in console.get("/live/proof").text


def test_a_search_that_finds_one_order_goes_there(api, console):
    id_ = api.order("se", external_id="SE-1", number="#SE")
    for name in (id_, "SE-1", "%23SE"):
        reply = console.get(f"/orders?q={name}")
        assert (reply.status, reply.headers["location"]) == (303, f"/orders/{id_}")
    nothing = console.get("/orders?q=nobody")
    assert nothing.status == 200
    assert "No order fits" in nothing.text


def test_an_order_that_is_not_understood_yet_is_found_and_says_why(api, console):
    id_, case = api.parked("NU-1")
    assert console.get("/orders?q=NU-1").headers["location"] == f"/orders/{id_}"
    text = console.get(f"/orders/{id_}").text
    assert "not understood yet" in text
    assert f'href="/cases/{case["id"]}"' in text
    assert "Cancel what has not left" not in text


def test_a_case_is_corrected_on_its_page(api, console):
    id_, case = api.parked("ED-1")
    page = console.get(f"/cases/{case['id']}").text
    assert "2100" in page
    mended = json.dumps(order(external_id="ED-1"), indent=1).replace("\n", "\r\n")
    once = re.search(r'name="once" value="(\w+e)"', page).group(1)
    fields = {"action": "edit", "actor": "Ann", "reason": "typo", "body": mended, "once": once}
    for _ in range(2):  # a double click
        reply = console.send(f"/cases/{case['id']}", csrf=console.csrf(), **fields)
        assert (reply.status, reply.headers["location"]) == (303, f"/cases/{case['id']}")
    closed = console.get(f"/cases/{case['id']}").text
    assert "closed by Ann" in closed
    assert api.get(f"/v1/orders/{id_}").json["version"] == "1"
    steps = api.get(f"/v1/orders/{id_}/timeline").json["steps"]
    assert len([step for step in steps if step["what"] == "an operator acts"]) == 1


def test_a_held_order_is_released_on_its_page(api, console):
    id_ = api.order("hp", external_id="HP-1", holds=[{"code": "fraud"}])
    assert "Release its holds" in console.get(f"/orders/{id_}").text
    fields = {"action": "release_hold", "actor": "Ann", "reason": "called"}
    reply = console.send(f"/orders/{id_}/act", csrf=console.csrf(), **fields)
    assert reply.headers["location"] == f"/orders/{id_}"
    api.until(lambda: "Release its holds" not in console.get(f"/orders/{id_}").text)


def test_a_day_is_posted_with_its_difference_from_its_case_and_never_cancelled(api, console):
    id_ = api.store_day(3, stated=2001)
    case = next(c for c in api.cases(id_) if c["reason"] == "store_day.difference")
    page = console.get(f"/cases/{case['id']}").text
    assert page.index("Post with this difference") < page.index("Resolve")
    for text in (console.get(f"/orders/{id_}").text, console.get(f"/orders/{id_}/live").text):
        assert "20.00 EUR in 1 ticket" in text
        assert "unpaid" not in text
        assert "Cancel" not in text
    fields = {"action": "release", "actor": "Ann", "reason": "a cent"}
    reply = console.send(f"/cases/{case['id']}", csrf=console.csrf(), **fields)
    assert reply.headers["location"] == f"/cases/{case['id']}"
    api.until(lambda: "Post with this difference" not in console.get(f"/orders/{id_}").text)
    assert "release the hold (difference): a cent" in console.get(f"/orders/{id_}").text
    freed = console.get(f"/cases/{case['id']}").text
    assert "Nothing is held back for it any more." in freed or "closed by" in freed
    fields = {"action": "cancel_order", "actor": "Ann", "reason": "x"}
    assert console.send(f"/orders/{id_}/act", csrf=console.csrf(), **fields).status == 422


@pytest.mark.parametrize("fields", [{"reason": ""}, {"actor": ""}, {"action": "edit"}, {"action": "sing"}])
def test_an_unclear_form_says_what_is_missing(api, console, fields):
    _, case = api.parked("UF-1")
    given = {"action": "retry", "actor": "Ann", "reason": "r"} | fields
    reply = console.send(f"/cases/{case['id']}", csrf=console.csrf(), **given)
    assert reply.status == 400
    assert "That did not work" in reply.text


@pytest.mark.fault(55)
@pytest.mark.parametrize(
    "path", ["/cases/999999", "/cases/" + "9" * 30, "/orders/CD9999999999", "/orders/%00", "/assets/x"]
)
def test_what_is_not_there_is_a_page_too(console, path):
    reply = console.get(path)
    assert reply.status == 404
    assert "That did not work" in reply.text


@pytest.mark.parametrize("path", ["/cases?after=x", "/orders?cursor=x"])
def test_a_wrong_address_is_told(console, path):
    assert console.get(path).status == 400


def test_a_page_of_older_orders_follows(api, console):
    for n in range(51):
        api.post("/v1/orders", order(external_id=f"PA-{n}"), idempotency_key=f"pa{n}")
    page = api.until(lambda: _page_with(console, "/orders", "Older orders"))
    older = re.search(r'href="(/orders\?[^"]*cursor=[^"]+)"', page).group(1).replace("&amp;", "&")
    assert console.get(older).status == 200


def _page_with(console, path, words):
    text = console.get(path).text
    return text if words in text else None
