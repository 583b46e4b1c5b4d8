"""Somebody who logs in to the dashboard and sends its forms."""

from __future__ import annotations

import re
import threading
from typing import Any

from tests.service.sites import Place

PAGES = ("book", "exposure", "plan", "runs", "what-if", "health")
ORIGIN = {"Origin": "http://testserver"}


def log_in(place: Place, who: str = "alice") -> str:
    """Log in; returns the form secret of the session."""
    body = {"token": place.tokens[who]}
    response = place.client.post("/login", data=body, headers=ORIGIN, follow_redirects=False)
    assert response.status_code == 303
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = place.client.get("/book").text
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found.group(1)


def send(place: Place, path: str, csrf: str, headers: Any = ORIGIN, **form: str) -> Any:
    body = {"csrf": csrf, **form}
    return place.client.post(path, data=body, headers=headers, follow_redirects=False)


def the_plan(place: Place) -> str:
    return place.site.views.plan_hashes(1)[0]


def answered(place: Place, path: str) -> str:
    gate = threading.Event()
    for _ in range(2400):
        text: str = place.client.get(path).text
        if "Deciding" not in text and "Computing" not in text:
            return text
        gate.wait(0.05)
    raise AssertionError("the job did not end")


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
