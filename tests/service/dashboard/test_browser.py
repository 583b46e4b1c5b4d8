"""Every page in a browser, with its scripts and without."""

from __future__ import annotations

from typing import Any

from tests.service.sites import Place
from tests.service.visitor import PAGES, the_plan


def test_every_page_in_a_browser_without_a_network(place: Place, served: str, browser: Any) -> None:
    outside, faults = list[str](), list[str]()
    page = browser.new_page()

    def only_here(route: Any) -> None:
        if route.request.url.startswith(served):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    page.route("**/*", only_here)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda row: faults.append(row.text) if row.type == "error" else None)
    page.goto(served + place.service.enter("alice"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for name in PAGES:
            page.goto(f"{served}/{name}")
            assert page.locator("h1").count() == 1
    page.goto(f"{served}/plan")
    page.wait_for_selector(".chart svg")
    page.fill("input[name=reason]", "fine")
    page.click("#approve")
    assert page.locator("#approval").inner_text() == "approved"
    page.wait_for_selector(".chart svg")
    page.keyboard.press("1")
    page.wait_for_url("**/book")
    page.wait_for_selector(".card")
    page.wait_for_load_state()
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") in ("light", "dark")
    assert outside == []
    assert faults == []
    assert place.site.views.summary(the_plan(place)).verdicts[0].who == "alice"


def test_plan_is_approved_in_a_browser_without_scripts(
    place: Place, served: str, browser: Any
) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{served}/login")
    page.fill("input[name=token]", place.tokens["alice"])
    page.click("button")
    for name in PAGES:
        page.goto(f"{served}/{name}")
        assert page.locator("table, form").count() > 1, name
    page.goto(f"{served}/plan")
    page.fill("form:has(#approve) input[name=reason]", "fine")
    page.click("#approve")
    assert page.locator("#approval").inner_text() == "approved"
