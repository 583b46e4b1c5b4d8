"""Triggers that could never fire are mistakes of the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from allocator.models.books import BookConfig
from allocator.models.config import Config
from allocator.models.mandate import Mandate
from allocator.models.service import ServiceConfig

LOGINS = {
    name: {"venue": venue, "key": "env:KEY", "secret": "env:SECRET"}
    for name, venue in (("x", "bybit"), ("y", "binance"))
}
ACCOUNTS = [
    {"id": "a", "login": "x", "wallet": "unified", "owner": "fund"},
    {"id": "b", "login": "y", "wallet": "usdm", "owner": "fund"},
]


def config(rule: dict[str, Any], book: str | None = None) -> Config:
    rules = [{"id": "r", "threshold": "1", **rule}]
    books = [
        {"id": name, "accounts": [name], "database": f"sqlite:///{name}.db", "mandate": Mandate(),
         "triggers": rules if name == book else []}
        for name in ("a", "b")
    ]  # fmt: skip
    data: dict[str, Any] = {"logins": LOGINS, "accounts": ACCOUNTS}
    data |= {"service": {"triggers": rules}} if book is None else {"books": books}
    return Config.model_validate(data)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"on": "margin_ratio", "of": "aa"}, "trigger r: no account aa"),
        ({"on": "liquidation_distance", "of": "bybit"}, "trigger r: no account bybit"),
        ({"on": "venue", "of": "okx"}, "trigger r: no venue okx"),
        ({"on": "pnl", "of": "fund"}, "pnl is of the whole book"),
        ({"on": "drawdown", "of": "a"}, "drawdown is of the whole book"),
        ({"on": "funding", "persist_s": "1"}, "funding has no persist_s"),
    ],
)
def test_trigger_that_could_never_fire_is_refused(rule: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        config(rule)


@pytest.mark.parametrize("book", [None, "b"])
def test_trigger_that_would_fire_at_every_look_is_refused(book: str | None) -> None:
    rule = {"on": "margin_ratio", "repeat": True}
    for cooldown_s in (0, 59):
        with pytest.raises(ValidationError, match="trigger r: with repeat, cooldown_s is at least"):
            config({**rule, "cooldown_s": cooldown_s}, book)
    config({**rule, "cooldown_s": 60}, book)
    config({**rule, "repeat": False, "cooldown_s": 0}, book)


@pytest.mark.parametrize(
    "rule",
    [
        {"on": "margin_ratio", "of": "a"},
        {"on": "venue", "of": "binance"},
        {"on": "pnl", "of": "book"},
        {"on": "drawdown"},
        {"on": "funding", "of": "bybit:BTC/USDT:USDT"},
    ],
)
def test_trigger_of_what_is_there_is_good(rule: dict[str, Any]) -> None:
    assert config(rule).service.triggers[0].of == rule.get("of")


@pytest.mark.parametrize(
    "rule", [{"on": "margin_ratio", "of": "b"}, {"on": "venue", "of": "binance"}]
)
def test_trigger_of_one_book_watches_nothing_of_another(rule: dict[str, Any]) -> None:
    assert config(rule, book="b").books[1].triggers[0].of == rule["of"]
    with pytest.raises(ValidationError, match="trigger r: no "):
        config(rule, book="a")


def test_a_venue_s_word_is_weighed_of_venues_that_there_are() -> None:
    data: dict[str, Any] = {"logins": LOGINS, "accounts": ACCOUNTS}
    config = Config.model_validate({**data, "gather": {"status": {"bybit": "tell"}}})
    assert [config.gather.follows(name) for name in ("bybit", "binance")] == [False, True]
    with pytest.raises(ValidationError, match=r"gather\.status: no login of venue okx"):
        Config.model_validate({**data, "gather": {"status": {"okx": "tell"}}})


@pytest.mark.parametrize("book", [False, True])
def test_a_schedule_and_a_trigger_share_no_id(book: bool) -> None:
    told = {
        "schedules": [{"id": "margin", "every_s": 60}],
        "triggers": [{"id": "margin", "on": "margin_ratio", "threshold": "1.3", "urgent": True}],
    }
    apart: dict[str, Any] = {"id": "x", "accounts": ["a"], "database": "sqlite:///x.db", **told}
    with pytest.raises(ValidationError, match="the id margin is of a schedule and of a trigger"):
        _ = BookConfig.model_validate(apart) if book else ServiceConfig.model_validate(told)
