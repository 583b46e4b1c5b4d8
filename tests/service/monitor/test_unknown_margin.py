"""A margin that nobody can reckon is unknown: neither safe, nor a reason to watch nothing else."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.marks import Marks, marks_of
from tests.execution.book import START, instrument
from tests.service.monitor.watched import EVER, MANDATE, Watched, snapshot
from tests.service.sites import Place
from tests.service.visitor import log_in, words

ALONE = "alpha:DOGE/USDT:USDT"
"""Its venue tells no brackets of it."""


def held(minute: float = 0, *, wallet: str = "100000", **place: Any) -> Snapshot:
    """Account a holds one Bitcoin contract, and a position like this without brackets."""
    data = snapshot(START + timedelta(minutes=minute), wallet=wallet).model_dump(mode="json")
    data["instruments"].append({**instrument(ALONE), "tiers": []})
    (row,) = (row for row in data["accounts"] if row["id"] == "a")
    row["positions"][ALONE] = {"quantity": "1", "entry_price": "50000", "leverage": "10", **place}
    return Snapshot.model_validate(data)


APART: dict[str, Any] = {"isolated": {"wallet": "500"}}
POOLED: dict[str, Any] = {}


@pytest.mark.parametrize("place", [APART, POOLED])
def test_a_margin_without_brackets_is_unknown_and_that_of_others_is_not(
    place: dict[str, Any],
) -> None:
    first, second = marks_of(held(**place), None).accounts
    assert first.ratio is None
    assert first.distance is None
    assert ALONE in first.margin_unknown
    assert first.equity == 100000
    assert not second.margin_unknown
    assert second.ratio == 400


def test_what_is_known_of_a_margin_bounds_what_is_not() -> None:
    first, _ = marks_of(held(wallet="20000", **APART), None).accounts
    assert first.ratio_at_most == Decimal(19500) / 250
    assert first.distance_at_most is not None
    pooled, other = marks_of(held(), None).accounts
    assert (pooled.ratio_at_most, pooled.maintenance, pooled.initial) == (None, None, None)
    assert (other.ratio_at_most, other.distance_at_most) == (None, None)


def test_an_account_that_needs_no_margin_is_not_unknown() -> None:
    first = marks_of(held(quantity="0", isolated={"wallet": "0"}), None).accounts[0]
    assert not first.margin_unknown
    assert first.ratio == 400


def look(watched: Watched, seen: Snapshot) -> list[str]:
    return [row.rule.id for row in watched.monitor.take(seen, MANDATE, {})]


def test_a_person_hears_once_of_a_margin_that_is_unknown(watched: Watched) -> None:
    for minute in (0, 1):
        look(watched, held(minute, **APART))
    ((topic, why),) = watched.told
    assert topic == "margin_unknown"
    assert why.startswith("a: ")
    assert ALONE in why
    watched.look(2)
    look(watched, held(3, **APART))
    assert [topic for topic, _ in watched.told] == ["margin_unknown"] * 2


def test_an_unknown_margin_neither_fires_nor_arms(watched: Watched) -> None:
    assert "margin" in watched.look(0, wallet="300")
    assert "margin" not in look(watched, held(20, **APART))
    assert "margin" not in watched.look(40, wallet="300"), "it has not come back: not known"
    watched.look(60)
    assert "margin" in watched.look(80, wallet="300")


def test_what_is_known_of_an_account_fires_beside_what_is_not(watched: Watched) -> None:
    look(watched, held(**APART))
    assert "margin" in look(watched, held(1, wallet="800", **APART)), "300 of 250"


def test_the_others_are_watched_beside_a_pool_that_is_unknown(watched: Watched) -> None:
    data = held(1).model_dump(mode="json")
    data["accounts"][1]["balances"]["USDT"]["wallet"] = "300"
    assert "margin" in look(watched, Snapshot.model_validate(data))


def test_history_does_not_take_what_is_unknown_for_nothing(tmp_path: Path) -> None:
    store = MarkStore(tmp_path)
    for minute, place in enumerate((APART, POOLED)):
        store.write(marks_of(held(minute, **place), None), {})
    apart, pooled = store.equity("book", *EVER)
    assert (apart["ratio"], apart["maintenance"], apart["equity"]) == (None, 500, 200000)
    assert (pooled["ratio"], pooled["maintenance"], pooled["equity"]) == (None, None, 200000)
    other = [row["ratio"] for row in store.equity("account", *EVER) if row["name"] == "b"]
    assert other == [400, 400]


def shown(lite: Engine, folder: Path, **place: Any) -> Place:
    out = Place(lite, folder)
    out.service.live.marks = marks_of(held(**place), Mandate.model_validate(MANDATE))
    return out


def test_page_and_api_say_that_it_is_unknown(lite: Engine, tmp_path: Path) -> None:
    place = shown(lite, tmp_path, **APART)
    row = place.get("/v1/book").json()["accounts"][0]
    assert (row["ratio"], row["distance"]) == (None, None)
    assert ALONE in row["margin_unknown"]
    assert row["ratio_at_most"] == "398"
    log_in(place)
    page = words(place.client.get("/book").text)
    assert "unknown ≤ 398.00" in page
    assert "no positions" not in page.split("beta")[0]
    ready = place.client.get("/readyz").json()
    assert any("margin" in fault for fault in ready["faults"])
    assert ALONE not in str(ready), "strangers may ask"


def test_metrics_count_it_and_tell_no_safe_figure(lite: Engine, tmp_path: Path) -> None:
    place = Place(lite, tmp_path)

    def told(marks: Marks) -> str:
        place.service.live.marks = marks
        return str(place.client.get("/metrics", headers=place.headers("read")).text)

    text = told(marks_of(held(), None))
    assert 'allocator_accounts_margin_unknown{book="desk"} 1.0' in text
    assert 'allocator_account_ratio{account="a",book="desk"}' not in text
    assert 'allocator_account_ratio{account="b",book="desk"} 400.0' in text
    bounded = told(marks_of(held(**APART), None))
    assert 'allocator_account_ratio{account="a",book="desk"} 398.0' in bounded
