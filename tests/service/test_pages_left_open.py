"""Pages that stay open in a browser while the service goes, and names that look like markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.service.monitor.marks import marks_of
from tests.service.browsing import serving
from tests.service.sites import MANDATE, Place, snapshot


@pytest.fixture
def page(browser: Any) -> Any:
    made = browser.new_page()
    made.clock.install()
    return made


def renew(page: Any, path: str) -> None:
    """Let the page ask for itself again."""

    def same(row: Any) -> bool:
        return bool(row.url.endswith(path))

    with page.expect_event("requestfinished", same):
        page.clock.run_for(16_000)


def breaks(route: Any) -> None:
    route.abort()


def errs(route: Any) -> None:
    route.fulfill(status=503, body="{}")


@pytest.mark.parametrize("name", ["book", "exposure", "runs"])
def test_a_page_that_cannot_be_renewed_says_so_until_it_can(
    place: Place, served: str, page: Any, name: str
) -> None:
    page.goto(served + place.service.enter("alice"))
    page.goto(f"{served}/{name}")
    assert not page.locator("#stale").is_visible()
    page.route(f"**/{name}", breaks)
    with page.expect_event("requestfailed"):
        page.clock.run_for(16_000)
    page.wait_for_selector("#stale", state="visible")
    page.unroute(f"**/{name}")
    page.route(f"**/{name}", errs)
    renew(page, f"/{name}")
    assert page.locator("#stale").is_visible()
    page.unroute(f"**/{name}")
    renew(page, f"/{name}")
    page.wait_for_selector("#stale", state="hidden")
    assert page.locator("h1").count() == 1


def test_a_page_whose_session_has_ended_asks_to_log_in(
    place: Place, served: str, page: Any
) -> None:
    page.goto(served + place.service.enter("alice"))
    page.goto(f"{served}/book")
    place.site.tokens.revoke("alice", place.clock.now())
    page.clock.run_for(16_000)
    page.wait_for_url("**/login")


MARKUP = "<b id=pwn>x</b>"


def test_names_are_no_markup_in_what_charts_tell(lite: Engine, tmp_path: Path, page: Any) -> None:
    accounts = [
        {"id": MARKUP, "login": "x", "wallet": "unified", "owner": "fund"},
        {"id": "b", "login": "y", "wallet": "usdm", "owner": "fund"},
    ]
    place = Place(lite, tmp_path, accounts=accounts)
    data = snapshot("1").model_dump(mode="json")
    data["accounts"][0]["id"] = MARKUP
    row = Snapshot.model_validate(data)
    place.service.live.marks = marks_of(row, Mandate.model_validate(MANDATE))
    with place.client, serving(place) as address:
        page.goto(address + place.service.enter("alice"))
        page.goto(f"{address}/exposure")
        page.wait_for_selector(".chart svg")
        box = page.locator(".chart").first.bounding_box()
        for share in (0.2, 0.3, 0.4, 0.5):
            page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.4 * box["height"])
            page.clock.run_for(500)
            if page.get_by_text("USD", exact=False).filter(has_text=MARKUP).count():
                break
        assert page.locator("#pwn").count() == 0
        assert f"{MARKUP} ·" in page.locator(".chart").first.inner_text()
    place.site.jobs.close()
