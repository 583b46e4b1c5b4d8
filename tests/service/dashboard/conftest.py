"""A place on a loopback address, and a browser that looks at it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from shutil import which
from typing import Any

import pytest
import uvicorn

from allocator.service.http.server import listen
from tests.service.sites import Place


@pytest.fixture
def served(place: Place) -> Iterator[str]:
    """The place on a loopback address of its own."""
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
    assert not thread.is_alive()


@pytest.fixture
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium was found on the path")
    with playwright.sync_playwright() as running:
        made = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield made
        made.close()
