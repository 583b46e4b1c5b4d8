"""A margin pool is one account: what is read twice would be counted twice."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from allocator.models.config import Config


def config(venue: str, *accounts: dict[str, Any], **logins: dict[str, Any]) -> Config:
    secrets = {"secret": "env:S", "passphrase": "env:P"}
    return Config.model_validate(
        {
            "logins": {
                name: {"venue": venue, "key": f"env:{name}", **secrets, **row}
                for name, row in {"main": {}, **logins}.items()
            },
            "accounts": [
                {"id": f"a{i}", "login": "main", "owner": "o", "wallet": "unified", **row}
                for i, row in enumerate(accounts)
            ],
        }
    )


@pytest.mark.parametrize("venue", ["binance", "bybit", "deribit", "krakenfutures", "okx"])
def test_a_wallet_of_a_login_is_one_account(venue: str) -> None:
    with pytest.raises(ValidationError, match="wallet unified of login main is in account a0 alr"):
        config(venue, {}, {})


def test_a_login_under_a_second_name_is_the_same_user() -> None:
    other = {"login": "again"}
    with pytest.raises(ValidationError, match="whose login main has the same key"):
        config("bybit", {}, other, again={"key": "env:main", "member": "2"})
    with pytest.raises(ValidationError, match="whose login main has the same member"):
        config(
            "binance", {}, other, main={"member": "A@x.example"}, again={"member": "a@x.example"}
        )


@pytest.mark.parametrize("wallet", ["usdm", "coinm"])
def test_a_wallet_inside_portfolio_margin_is_no_account_beside_it(wallet: str) -> None:
    for pair in ({}, {"wallet": wallet}), ({"wallet": wallet}, {}):
        with pytest.raises(ValidationError, match="it would be counted twice, take one out"):
            config("binance", *pair)
    assert config("gate", {"wallet": "usdm"}, {"wallet": "coinm"})


def test_pools_of_their_own_are_accounts() -> None:
    assert config("binance", {}, {"wallet": "spot"})
    assert config("bybit", {}, {"login": "sub"}, sub={"member": "2", "master": "main"})
    assert config("bybit", {"wallet": "funding"}, {"wallet": "unified"})


def test_okx_names_members_below_each_main_account_anew() -> None:
    named = {"main": {"member": "desk"}, "other": {"member": "desk"}}
    assert config("okx", {}, {"login": "other"}, **named)
    subs = {name: {"member": "desk", "master": "main"} for name in ("one", "two")}
    with pytest.raises(ValidationError, match="same member"):
        config("okx", {"login": "one"}, {"login": "two"}, **subs)
