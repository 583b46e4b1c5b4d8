"""Write docs/dashboard/*.png anew: every page of the demo's dashboard, light and dark.

Run by hand: ``PYTHONPATH=. .venv/bin/python docs/write_screenshots.py``. Needs Chromium; the
service runs on the bundled loopback exchanges, and the browser reaches nothing else.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
PAGES = ("book", "exposure", "plan", "runs", "what-if", "health")
WAIT_MS = 300_000
WIDE, HIGH = 1360, 900


def main() -> None:
    """Start the demo, act once, look at every page."""
    chromium = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), "")
    if not chromium:
        raise SystemExit("no Chromium was found")
    with tempfile.TemporaryDirectory() as folder:
        served = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "allocator",
                "demo",
                "--serve",
                "--port",
                "0",
                "--state",
                folder,
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        )
        try:
            assert served.stdout is not None
            found = re.search(r"http://\S+", served.stdout.readline())
            assert found is not None
            look(chromium, found.group())
        finally:
            served.send_signal(signal.SIGTERM)
            served.wait(60)


def look(chromium: str, entrance: str) -> None:
    """Log in, let a plan go, ask a question, and photograph every page twice."""
    (HERE / "dashboard").mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDE, "height": HIGH})
        page.goto(entrance)
        origin = page.url.rsplit("/", 1)[0]
        act(page, origin)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for name in PAGES:
                page.goto(_kept.get(name, f"{origin}/{name}"))
                page.wait_for_timeout(800)
                path = HERE / "dashboard" / f"{name}-{scheme}.png"
                page.screenshot(path=path, full_page=True)
                print(path.relative_to(HERE.parent))
        browser.close()


_kept: dict[str, str] = {}
"""Where pages with results are."""


def act(page: Page, origin: str) -> None:
    """Approve the schedule's plan and carry it out; ask for frontier and what-if.

    The demo begins beside liquidation, so that a repair of one transfer may come first.
    """
    for _ in range(60):
        page.goto(f"{origin}/plan")
        several = page.locator("tr", has=page.locator("td.n", has_text=re.compile(r"^[2-9]$")))
        found = several.locator("a.hash")
        if found.count():
            found.first.click()
        if found.count() and page.locator("#approve").count():
            break
        page.wait_for_timeout(1000)
    plan = page.locator("h1 .hash").inner_text()
    page.fill("input[name=reason]", "rebalances within limits")
    page.click("#approve")
    page.click("#execute")
    shown = page.url.split("?")[0]
    page.select_option("select[name=along]", "actions")
    page.click("#frontier button")
    page.wait_for_selector("#frontier table", timeout=WAIT_MS)
    _kept["plan"] = page.url.split("#")[0]
    page.goto(f"{origin}/what-if")
    page.fill("input[name='price:BTC']", "-20")
    page.fill("input[name=volatility]", "1.6")
    page.click("#ask")
    page.wait_for_selector("#decided", timeout=WAIT_MS)
    _kept["what-if"] = page.url
    print(plan, shown)


if __name__ == "__main__":
    main()
