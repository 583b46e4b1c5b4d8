"""Pages that stay open in a browser while the service goes, and names that look like markup."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import uvicorn
from sqlalchemy import Engine

from allocator.service.http.server import listen
from tests.service.sites import Place


@pytest.fixture
def place(lite: Engine, tmp_path: Path) -> Iterator[Place]:
    made = Place(lite, tmp_path)
    made.gather()
    with made.client:
        yield made
    made.site.jobs.close()


@pytest.fixture
def served(place: Place) -> Iterator[str]:
    opened = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        place.app, log_config=None, lifespan="off", access_log=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([opened])))
    thread.start()
    yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    server.should_exit = True
    thread.join(120)
    opened.close()


@pytest.fixture
def page() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium was found on the path")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        made = browser.new_page()
        made.clock.install()
        yield made
        browser.close()


def renew(page: Any, path: str) -> None:
    """Let the page ask for itself again."""
    with page.expect_event("requestfinished", lambda row: row.url.endswith(path)):
        page.clock.run_for(16_000)


@pytest.mark.parametrize("name", ["book", "exposure", "runs"])
def test_a_page_that_cannot_be_renewed_says_so_until_it_can(
    place: Place, served: str, page: Any, name: str
) -> None:
    page.goto(served + place.service.enter("alice"))
    page.goto(f"{served}/{name}")
    assert not page.locator("#stale").is_visible()
    page.route(f"**/{name}", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.clock.run_for(16_000)
    page.wait_for_selector("#stale", state="visible")
    page.unroute(f"**/{name}")
    page.route(f"**/{name}", lambda route: route.fulfill(status=503, body="{}"))
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
    page.wait_for_url("**/login", timeout=10_000)
