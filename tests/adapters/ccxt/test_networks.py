"""What a chain costs and how finely it is told: no charge is taken for none."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt import binance_markets, bybit_markets, deribit_markets, okx_markets
from allocator.adapters.sources import NetworkTerms
from tests.adapters.ccxt import test_modes, test_okx_modes

BYBIT = {"chain": "TRX", "withdrawFee": "0", "withdrawMin": "10", "minAccuracy": "6",
         "chainWithdraw": "1", "withdrawPercentageFee": "0"}  # fmt: skip
OKX = {"ccy": "USDT", "chain": "USDT-TRC20", "fee": "1", "minWd": "10", "wdTickSz": "6",
       "canWd": True, "burningFeeRate": ""}  # fmt: skip


def bybit(**changes: Any) -> NetworkTerms:
    told = test_modes.enveloped(rows=[{"coin": "USDT", "chains": [{**BYBIT, **changes}]}])
    place = test_modes.place("bybit", "funding", {"private_get_v5_asset_coin_query_info": told})
    return asyncio.run(bybit_markets.networks(place, {"USDT"}))["USDT:TRX"]


def okx(**changes: Any) -> NetworkTerms:
    told = {"private_get_asset_currencies": test_okx_modes.data({**OKX, **changes})}
    place = test_okx_modes.place(told)
    return asyncio.run(okx_markets.networks(place, {"USDT"}))["USDT:USDT-TRC20"]


def deribit(**changes: Any) -> NetworkTerms:
    row = {"currency": "USDC", "withdrawal_fee": 1, "network_currency": "ETH", **changes}
    told = {"public_get_get_currencies": {"result": [row]}}
    place = test_modes.place("deribit", "unified", told)
    return asyncio.run(deribit_markets.networks(place, {"USDC"}))["USDC:ETH"]


def binance(**changes: Any) -> NetworkTerms:
    row = {"network": "TRX", "withdrawFee": "0.3", "withdrawMin": "10",
           "withdrawIntegerMultiple": "0.1", "withdrawEnable": True, **changes}  # fmt: skip
    told = {"sapi_get_capital_config_getall": [{"coin": "USDT", "networkList": [row]}]}
    place = test_modes.place("binance", "spot", told)
    return asyncio.run(binance_markets.networks(place, {"USDT"}))["USDT:TRX"]


@pytest.mark.parametrize(
    ("fee", "step", "charged"),
    [("0.3", "0.1", "0.3"), ("0.31", "0.1", "0.4"), ("0.31", "1", "1"), ("0.31", "0", "0.31"),
     ("0.31", None, "0.31")],
)  # fmt: skip
def test_what_binance_takes_out_of_what_is_asked_for_goes_by_its_step(
    fee: str, step: str | None, charged: str
) -> None:
    """What is asked for holds the fee, and is refused off the step."""
    assert binance(withdrawFee=fee, withdrawIntegerMultiple=step).fee == Decimal(charged)


@pytest.mark.parametrize("name", ["withdrawFee", "withdrawMin"])
@pytest.mark.parametrize("told", [None, ""])
def test_a_chain_of_binance_that_tells_no_fee_or_no_least_amount_is_closed(
    name: str, told: str | None
) -> None:
    assert binance().open
    assert not binance(**{name: told}).open


def test_a_chain_that_charges_a_share_is_closed() -> None:
    assert bybit().open
    assert okx().open
    assert not bybit(withdrawPercentageFee="0.022").open
    assert not okx(burningFeeRate="0.022").open


@pytest.mark.parametrize(
    ("told", "step"),
    [("0", Decimal(1)), ("2", Decimal("0.01")), (None, None), ("", None)],
)
def test_an_accuracy_of_no_digits_is_whole_units(told: str | None, step: Decimal | None) -> None:
    assert bybit(minAccuracy=told).step == (step or Decimal("1e-8"))
    assert okx(wdTickSz=told).step == (step or Decimal("1e-8"))
    assert deribit(decimals=told).step == (step or Decimal("1e-6"))
