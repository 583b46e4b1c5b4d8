"""The bars of margin used on the Book page, of accounts that are past their margin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.service.monitor.marks import marks_of
from tests.service.sites import MANDATE, Place, pool, snapshot

BAR = re.compile(r'aria-label="margin used of a" aria-valuenow="([0-9.]+)"[^>]*><i class="([^"]*)"')


def book_page(place: Place, wallet: str) -> str:
    data = snapshot().model_dump(mode="json")
    data["accounts"] = [pool("a", "alpha", "1", wallet), pool("b", "beta", "0")]
    row = Snapshot.model_validate(data)
    place.service.live.marks = marks_of(row, Mandate.model_validate(MANDATE))
    path = place.service.enter("alice")
    return str(place.client.get(path).text)


@pytest.mark.parametrize("wallet", ["0", "-10", "100"])
def test_an_account_past_its_margin_has_a_full_bar(
    lite: Engine, tmp_path: Path, wallet: str
) -> None:
    page = book_page(Place(lite, tmp_path), wallet)
    assert BAR.findall(page) == [("100.0", "hot")]


def test_an_account_within_its_margin_has_a_part_of_a_bar(lite: Engine, tmp_path: Path) -> None:
    page = book_page(Place(lite, tmp_path), "1000")
    assert BAR.findall(page) == [("25.0", "")]
