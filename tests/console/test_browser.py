import json

import pytest

from tests.console.chromium import Browser, installed
from tests.gateway.serving import order

pytestmark = [
    pytest.mark.serial,
    pytest.mark.skipif(
        installed() is None, reason="Chromium is not installed; install the package 'chromium'"
    ),
]
EVIL = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture
def browser(tmp_path):
    with Browser(tmp_path / "browser") as found:
        yield found


def test_a_person_finds_a_parked_order_corrects_it_and_sees_it_go_on(api, browser):
    id_, case = api.parked("BR-1")
    api.post("/v1/orders", order(external_id="BR-2", buyer={"name": EVIL}), idempotency_key="br2")
    browser.go(f"{api.url}/cases/{case['id']}")
    assert "Log in" in browser.text()
    browser.submit("form.login", token=api.token)
    assert f"Case {case['id']}" in browser.text()

    browser.go(f"{api.url}/")
    browser.until("document.body.innerText.includes('cannot be understood')")
    browser.until("document.body.innerText.includes('balanced')")
    browser.submit("form.find", q="BR-1")
    assert "not understood yet" in browser.text()
    assert "waits behind message" in browser.text()

    browser.go(f"{api.url}/cases/{case['id']}")
    shown = browser.run("document.querySelector('textarea').value")
    mended = shown.replace("2100", "2000")
    assert json.loads(mended)["buyer_total"] == 2000
    browser.submit("form:has(textarea)", body=mended, reason="the shop mistyped it")
    assert "closed by Ann" in browser.text()

    browser.go(f"{api.url}/orders/{id_}")
    assert "the shop mistyped it" in browser.text()
    assert "order taken" in browser.text()
    before = browser.run("document.querySelectorAll('.story li').length")
    hidden = "[...document.querySelectorAll('.story .quiet')].filter(e => e.offsetParent === null).length"
    assert browser.run(hidden) > 0
    browser.run("document.querySelector('#everything').click()")
    assert browser.run(hidden) == 0
    assert before > 3


@pytest.mark.fault(55)
def test_what_a_buyer_writes_never_runs_and_no_page_breaks_its_own_policy(api, browser):
    body = order(
        external_id="BE-1", number=EVIL, buyer={"name": EVIL}, holds=[{"code": "odd", "reason": EVIL}]
    )
    id_ = api.post("/v1/orders", body, idempotency_key="be1").json["id"]
    api.until(lambda: api.get(f"/v1/orders/{id_}").json["holds"])
    case = next(c for c in api.cases(id_) if c["reason"] == "order.held")
    browser.go(f"{api.url}/login")
    browser.submit("form.login", token=api.token)
    for path in ("/", "/orders", f"/orders/{id_}", "/cases", f"/cases/{case['id']}", "/proof"):
        browser.go(api.url + path)
        assert browser.run("document.title") != "run"
        assert browser.run("document.images.length") == 0
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert browser.run(wide), path
    assert [line for line in browser.console if "Password forms" not in line] == []


def test_a_page_says_when_the_hub_does_not_answer(api, browser):
    browser.go(f"{api.url}/login")
    browser.submit("form.login", token=api.token)
    assert browser.run("document.querySelector('#stale').hidden")
    browser.run("window.fetch = () => Promise.reject(new Error('gone'))")
    browser.until("!document.querySelector('#stale').hidden")
    assert "The hub does not answer" in browser.text()


def test_on_a_telephone_nothing_stands_off_the_screen(api, browser):
    _, case = api.parked("PH-1")
    held = api.order("ph2", external_id="PH-2", holds=[{"code": "fraud"}])
    browser.size(400, 800)
    browser.go(f"{api.url}/login")
    browser.submit("form.login", token=api.token)
    outside = """[...document.querySelectorAll('main td, main input, main select, main button, main p')]
      .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth)
      .map(e => e.outerHTML)"""
    narrow = (
        """[...document.querySelectorAll('main .scroll td.wide')].map(e => e.getBoundingClientRect().width)"""
    )
    for path in ("/", "/orders", "/cases", "/proof", f"/cases/{case['id']}", f"/orders/{held}"):
        browser.go(api.url + path)
        assert browser.run(outside) == [], path
        assert all(width > 250 for width in browser.run(narrow)), path
