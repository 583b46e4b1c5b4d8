"""Figures of Deribit's pages, taken apart: equity, positions, options; what does not add up."""

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.adapters.ccxt import deribit_accounts, deribit_reads
from allocator.adapters.ccxt.deribit_markets import delta_of
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.session import Login
from allocator.models.config import AccountConfig, LoginConfig
from allocator.models.errors import VenueError

D = Decimal
MARKETS: dict[str, Any] = {
    "BTC-PERPETUAL": {
        "id": "BTC-PERPETUAL", "symbol": "BTC/USD:BTC", "base": "BTC", "quote": "USD",
        "settle": "BTC", "spot": False, "swap": True, "contract": True, "option": False,
        "linear": False, "inverse": True, "info": {
            "contract_size": 10, "max_leverage": 50, "taker_commission": "0.0005"},
    },
    "BTC-28JUN30-70000-C": {
        "id": "BTC-28JUN30-70000-C", "symbol": "BTC/USD:BTC-300628-70000-C", "base": "BTC",
        "quote": "USD", "settle": "BTC", "spot": False, "swap": False, "contract": True,
        "option": True, "linear": False, "inverse": True, "strike": "70000",
        "optionType": "call", "info": {"contract_size": 1},
    },
}  # fmt: skip
SUMMARY: dict[str, Any] = {
    "currency": "BTC",
    "balance": "302.60065765",
    "equity": "302.61869214",
    "futures_session_upl": "0.05921555",
    "futures_session_rpl": "-0.03258105",
    "options_session_upl": "-0.0065",
    "options_session_rpl": 0,
    "session_upl": "0.05271555",
    "options_value": "-0.0086",
    "available_withdrawal_funds": "301.35396172",
    "margin_model": "segregated_sm",
    "cross_collateral_enabled": False,
}
"""The example of private-get_account_summaries."""

FUTURE_ROW: dict[str, Any] = {
    "instrument_name": "BTC-PERPETUAL", "kind": "future", "direction": "buy", "size": 1000,
    "size_currency": "0.1", "average_price": "9000", "mark_price": "10000",
    "index_price": "10000", "floating_profit_loss": "0.05921555",
    "initial_margin": "0.002", "maintenance_margin": "0.001",
}  # fmt: skip
OPTION_ROW: dict[str, Any] = {
    "instrument_name": "BTC-28JUN30-70000-C", "kind": "option", "direction": "sell",
    "size": "-0.1", "average_price": "0.02", "mark_price": "0.086", "index_price": "10000",
    "floating_profit_loss": "-0.0065", "initial_margin": "0.0186",
    "maintenance_margin": "0.0161",
}  # fmt: skip


class Recorded:
    """Answers endpoints from a table, and knows two markets."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.markets = {row["symbol"]: row for row in MARKETS.values()}
        self.markets_by_id = {name: [row] for name, row in MARKETS.items()}

    def market(self, symbol: str) -> Any:
        return self.markets[symbol]

    def __getattr__(self, endpoint: str) -> Any:
        async def answer(params: dict[str, Any]) -> Any:
            return {"jsonrpc": "2.0", "result": self.answers[endpoint]}

        return answer


def recorded(summary: dict[str, Any], *rows: dict[str, Any]) -> Place:
    config = LoginConfig.model_validate({"venue": "deribit", "key": "env:A", "secret": "env:B"})
    client = Recorded(
        {
            "private_get_get_account_summaries": {"summaries": [summary]},
            "private_get_get_positions": list(rows),
            "private_get_get_open_orders": [],
            "public_get_get_currencies": [
                {"currency": "BTC", "in_cross_collateral_pool": True},
                {"currency": "XRP", "in_cross_collateral_pool": False},
            ],
        }
    )
    shared = cast("Any", SimpleNamespace(paused_until=0.0))
    login = Login("login", config, client, shared)
    account = AccountConfig.model_validate(
        {"id": "it", "login": "login", "wallet": "unified", "owner": "o",
         "instruments": ["BTC/USD:BTC"]}
    )  # fmt: skip
    return Place(account, login, login)


def test_the_documented_summary_is_taken_apart_without_counting_anything_twice() -> None:
    account = asyncio.run(deribit_accounts.account(recorded(SUMMARY, FUTURE_ROW, OPTION_ROW)))
    inverse = account.positions["deribit:BTC/USD:BTC"]
    short = account.positions["deribit:BTC/USD:BTC-300628-70000-C"]
    assert (inverse.quantity, inverse.entry_price) == (100, 9000)
    assert inverse.unrealised == D("0.05921555")
    assert (short.quantity, short.unrealised) == (D("-0.1"), D("-0.0066"))
    assert not short.tradable
    wallet = account.balances["BTC"].wallet
    assert wallet == D("302.60065765") - D("0.03258105") - D("0.1") * D("0.02")
    assert wallet + D("0.05921555") - D("0.0066") - D(SUMMARY["equity"]) == D("1e-8")


@pytest.mark.parametrize(
    ("summary", "rows", "words"),
    [
        ({"equity": "302.7"}, [FUTURE_ROW, OPTION_ROW], "EQUITY_IDENTITY: BTC balance"),
        ({}, [OPTION_ROW], "EQUITY_IDENTITY: BTC futures_session_upl=0.05921555 positions=0"),
        ({}, [FUTURE_ROW], "EQUITY_IDENTITY: BTC options_value=-0.0086 positions=0"),
        ({}, [FUTURE_ROW, {**OPTION_ROW, "maintenance_margin": "0.02"}], "MARGIN_IDENTITY"),
        ({"margin_model": "cross_pm"}, [], "cross_pm is not read"),
        ({"margin_model": "segregated_pm"}, [], "segregated_pm is not read"),
        ({"cross_collateral_enabled": True}, [], "contradict"),
        ({}, [{**FUTURE_ROW, "instrument_name": "BTC-FS-27SEP30_PERP"}], "unknown market"),
    ],
)
def test_figures_that_are_not_understood_are_refused(
    summary: dict[str, Any], rows: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(VenueError, match=words):
        asyncio.run(deribit_accounts.account(recorded({**SUMMARY, **summary}, *rows)))


def test_a_long_option_that_is_only_held_needs_its_own_value_and_no_more() -> None:
    long = {**OPTION_ROW, "direction": "buy", "size": "0.1", "initial_margin": 0,
            "maintenance_margin": 0}  # fmt: skip
    summary = {**SUMMARY, "options_value": "0.0086", "equity": "302.63589215"}
    account = asyncio.run(deribit_accounts.account(recorded(summary, FUTURE_ROW, long)))
    (tier,) = account.positions["deribit:BTC/USD:BTC-300628-70000-C"].tiers
    assert (tier.initial, tier.maintenance) == (D("0.086"), D("0.086"))
    short = asyncio.run(deribit_accounts.account(recorded(SUMMARY, FUTURE_ROW, OPTION_ROW)))
    assert short.positions["deribit:BTC/USD:BTC-300628-70000-C"].tiers == ()


def test_a_coin_outside_the_pool_is_no_collateral() -> None:
    cross = {"margin_model": "cross_sm", "cross_collateral_enabled": True}
    account = asyncio.run(
        deribit_accounts.account(recorded({**SUMMARY, **cross}, FUTURE_ROW, OPTION_ROW))
    )
    assert {name: row[0].ratio for name, row in account.collateral.items()} == {"XRP": 0}


def test_the_side_of_a_position_is_told_apart_from_its_size() -> None:
    market = MARKETS["BTC-PERPETUAL"]
    for size in ("1000", "-1000"):
        row = {**FUTURE_ROW, "size": size, "direction": "sell"}
        assert deribit_reads.signed(market, row) == -100


def test_an_option_without_greeks_is_refused() -> None:
    with pytest.raises(VenueError, match="no greeks"):
        delta_of(MARKETS["BTC-28JUN30-70000-C"], {"mark_price": "0.1"})


@given(
    quantity=st.decimals("0.00000001", "99999999999999999999", places=8),
    size=st.sampled_from(["10", "1", "0.001", "0.0001", "0.01"]),
)
def test_an_amount_is_contracts_times_size_to_the_last_digit_and_back(
    quantity: Decimal, size: str
) -> None:
    market = {"spot": False, "info": {"contract_size": size}}
    amount = deribit_reads.units(market, quantity)
    assert str(amount.normalize()) == str((quantity * D(size)).normalize())
    assert deribit_reads.contracts(market, amount) == quantity
