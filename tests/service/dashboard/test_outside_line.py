"""The Book page in a browser, of a book with money from outside, on its way, and unknown."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.service.monitor.marks import Marks, marks_of
from allocator.service.monitor.profit import OUTSIDE, Earned, Profit
from tests.execution.book import START, instrument
from tests.service.sites import MANDATE, Place, pool

ALONE = "alpha:DOGE/USDT:USDT"
PICTURES = os.environ.get("PICTURES", "")
"""Folder in which pictures are left for people to look at."""
LEAST_CONTRAST = 4.5
"""Of text beside its ground (WCAG 2.2, 1.4.3)."""
CONTRAST = """row => {
  const light = text => text.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0.05);
  const ground = light(getComputedStyle(row.closest(".card")).backgroundColor);
  return Math.min(...[...row.querySelectorAll("td")].map(cell => {
    const ink = light(getComputedStyle(cell).color);
    return Math.max(ink, ground) / Math.min(ink, ground);
  }));
}"""
SIZES = ((1440, 900), (1280, 800))


def marks(minute: float, b: str, way: str) -> Marks:
    """Account a holds a position that no brackets are told of, and money is on its way to b."""
    rows = [pool("a", "alpha", "1", "20000"), pool("b", "beta", "-1", b)]
    rows[0]["positions"][ALONE] = {
        "quantity": "1", "entry_price": "50000", "leverage": "10", "isolated": {"wallet": "500"},
    }  # fmt: skip
    if Decimal(way):
        rows[1]["in_flight"] = [{"asset": "USDT", "amount": way, "direction": "in"}]
    tables = [instrument(f"{name}:BTC/USDT:USDT") for name in ("alpha", "beta")]
    book = {
        "as_of": START + timedelta(minutes=minute),
        "assets": {"USDT": {"price": "1"}, "BTC": {"price": "50000", "underlying": "BTC"}},
        "instruments": [*tables, {**instrument(ALONE), "tiers": []}],
        "accounts": rows,
    }
    found = marks_of(Snapshot.model_validate(book), Mandate.model_validate(MANDATE))
    return found.model_copy(update={"in_doubt": Decimal(1500)})


def fill(place: Place) -> None:
    """Keep a day's marks: a deposit that was told, losses, and a transfer."""
    store, paid = place.service.store, Decimal("1250000.25")
    for minute in range(-60, 0, 5):
        way = "10000" if minute > -30 else "0"
        lost = Profit(unrealised=Decimal(-310), fees=Decimal("-4.5"), other=Decimal(3))
        earned = {
            name: Earned(since=START + timedelta(minutes=minute - 5), profit=lost)
            for name in ("a", "b")
        }
        if minute == -10:
            came, told = Profit(other=paid), Profit(other=-paid, flows=paid)
            earned["b"] = earned["b"].plus(came)
            earned[OUTSIDE] = Earned(since=START + timedelta(minutes=minute), profit=told)
        store.write(marks(minute, "1300000" if minute > -15 else "60000", way), earned)
    place.service.live.marks = marks(0, "1300000", "10000")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_book_page_shows_what_came_from_outside(
    place: Place, served: str, browser: Any, scheme: str
) -> None:
    fill(place)
    page = browser.new_page(color_scheme=scheme)
    page.goto(served + place.service.enter("alice"))
    for wide, high in SIZES:
        page.set_viewport_size({"width": wide, "height": high})
        page.goto(f"{served}/book")
        page.wait_for_selector(".chart svg")
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/book-{scheme}-{wide}.png", full_page=True)
        over = "[...document.querySelectorAll('main .card, .tile, body')]"
        over += ".filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText.slice(0, 40))"
        assert page.evaluate(over) == [], "nothing has to be scrolled sideways"
    groups, rows = list[str](), page.locator("#earned tbody tr").all()
    for row in rows:
        cells = row.locator("td").all_inner_texts()
        groups.append(cells[0] or groups[-1])
        if "(outside)" in cells[1]:
            assert row.locator(".loss, .gain").count() == 0, "it is neither a loss nor a gain"
            assert row.evaluate(CONTRAST) >= LEAST_CONTRAST
            assert cells[-1] == "1,250,000.25"
    at = [number for number, row in enumerate(rows) if "(outside)" in row.inner_text()]
    assert [groups[number] for number in at] == ["owner", "venue", "account"]
    ends = [number for number, name in enumerate(groups) if name not in groups[number + 1 :]]
    assert at == ends[1:], "it is the last of its group"
    assert page.locator("#earned tbody tr").first.inner_text().split()[-2] == "-7,476.00"
    assert "+10,000 on its way" in page.locator("main").inner_text()
