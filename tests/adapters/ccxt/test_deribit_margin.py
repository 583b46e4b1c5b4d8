"""Brackets of Deribit against the venue's own formulas, written here a second time."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.adapters.ccxt.deribit_margin import (
    SCALING,
    TIGHT,
    Prices,
    check,
    required,
    tiers_of,
)
from allocator.models.errors import VenueError
from allocator.models.market import Tier, convexity_problems

D = Decimal
DUST = D("1e-4")
FUTURES = {"BTC": (50, "0.00005"), "ETH": (50, "0.000004"), "SOL": (25, "0.000005")}


def future(base: str, *, inverse: bool = False) -> dict[str, Any]:
    leverage = FUTURES[base][0] if base in FUTURES else 20
    return {
        "id": f"{base}-PERPETUAL" if inverse else f"{base}_USDC-PERPETUAL",
        "base": base,
        "settle": base if inverse else "USDC",
        "option": False,
        "info": {"max_leverage": leverage},
    }


def option(strike: str, *, call: bool, settle: str = "BTC", base: str = "BTC") -> dict[str, Any]:
    return {
        "id": "an option",
        "base": base,
        "settle": settle,
        "option": True,
        "strike": strike,
        "optionType": "call" if call else "put",
        "info": {},
    }


def charged(base: str, size: Decimal, index: Decimal) -> tuple[Decimal, Decimal]:
    """Initial and maintenance margin of a future in dollars, by the venue's page."""
    leverage, factor = FUTURES[base]
    initial = D(1) / leverage + D(factor) * size
    return initial * size * index, (D(1) / leverage / 2 + D(factor) * size) * size * index


@pytest.mark.parametrize(
    ("base", "size", "index", "initial", "maintenance"),
    [
        ("BTC", "0", "100000", "0", "0"),
        ("BTC", "25", "100000", "53125", "28125"),
        ("BTC", "350", "100000", "1312500", "962500"),
        ("SOL", "25", "200", "200.625", "100.625"),
        ("SOL", "6000", "200", "84000", "60000"),
    ],
)
def test_the_examples_of_the_venues_page_are_bounded_within_two_percent(
    base: str, size: str, index: str, initial: str, maintenance: str
) -> None:
    """Source: support.deribit.com 25944738177565; maintenance of 350 BTC and 6000 SOL computed."""
    assert charged(base, D(size), D(index)) == (D(initial), D(maintenance))
    prices = Prices(D(index), D(index), D(index))
    found = required(tiers_of(future(base), prices), D(size) * D(index))
    for bound, exact in zip(found, (D(initial), D(maintenance)), strict=True):
        assert exact <= bound <= exact * (1 + TIGHT) + DUST


sizes = st.decimals("0.0001", "9000", places=4)


@given(
    base=st.sampled_from(sorted(FUTURES)),
    share=st.decimals("0.000001", "1", places=6),
    mark=st.decimals("0.5", "200000", places=2),
    basis=st.decimals("0.9", "1.1", places=4),
    inverse=st.booleans(),
)
def test_brackets_never_understate_a_future_and_overstate_by_two_percent_at_most(
    base: str, share: Decimal, mark: Decimal, basis: Decimal, inverse: bool
) -> None:
    """The size is a share of the largest that brackets reach; index and mark may differ.

    Our notional is counted at the mark (an inverse contract's is its dollars, which at the mark
    are the same base units), the venue's charge at the index.
    """
    leverage, factor = FUTURES[base]
    size = share * (D("0.5") - D(1) / leverage) / D(factor)
    index = mark * basis
    tiers = tiers_of(future(base, inverse=inverse), Prices(mark, index, index))
    found = required(tiers, size * mark)
    above = max(D(1), index / mark) / (index / mark)
    for bound, exact in zip(found, charged(base, size, index), strict=True):
        assert bound >= exact - DUST
        assert bound <= exact * above * (1 + TIGHT) + DUST


@pytest.mark.parametrize("base", ["BTC", "ETH", "SOL", "DOGE"])
def test_brackets_rise_without_a_jump_and_are_few(base: str) -> None:
    price = {"BTC": D(64000), "ETH": D(3100), "SOL": D(200), "DOGE": D("0.2")}[base]
    tiers = tiers_of(future(base), Prices(price, price, price))
    assert convexity_problems(tiers) == []
    assert len(tiers) <= 30


def test_the_largest_overstatement_is_a_fiftieth() -> None:
    """Measured on ten thousand sizes, evenly spread in the logarithm: initial, maintenance."""
    prices = Prices(D(64000), D(64000), D(64000))
    tiers = tiers_of(future("BTC"), prices)
    worst = [D(0), D(0)]
    for step in range(10_000):
        size = D("0.01") * (D("960000") ** (D(step) / 10_000))
        found = required(tiers, size * 64000)
        for place, (bound, exact) in enumerate(
            zip(found, charged("BTC", size, D(64000)), strict=True)
        ):
            worst[place] = max(worst[place], bound / exact - 1)
    initial, maintenance = worst
    assert D("0.005") < initial < maintenance < TIGHT
    assert (initial.quantize(D("0.0001")), maintenance.quantize(D("0.0001"))) == (
        D("0.0152"),
        D("0.0199"),
    )


def test_an_underlying_without_a_documented_rule_gets_more_than_any_that_has_one() -> None:
    price, notional = D(100), D(1_000_000)
    unknown = required(tiers_of(future("DOGE"), Prices(price, price, price)), notional)
    for base, known in SCALING.items():
        at = {"BTC": D(64000), "ETH": D(3100), "SOL": D(200)}[base]
        listed = future(base) | {"info": {"max_leverage": 20}}
        found = required(tiers_of(listed, Prices(at, at, at)), notional)
        assert known > 0
        assert unknown[0] > found[0]
        assert unknown[1] > found[1]


def shorted(market: dict[str, Any], prices: Prices) -> tuple[Decimal, Decimal]:
    """Margin of one short option in what it settles in, by the venue's page."""
    strike, forward = D(market["strike"]), prices.forward
    call, in_coin = market["optionType"] == "call", market["settle"] == "BTC"
    unit = D(1) if in_coin else forward
    out = max(D(0), strike - forward if call else forward - strike) / forward
    initial = max(D("0.15") - out, D("0.1")) * unit + prices.mark
    if call:
        return initial, D("0.075") * unit + prices.mark
    maintenance = max(D("0.075") * unit, D("0.075") * prices.mark) + prices.mark
    return max(initial, maintenance), maintenance


@given(
    strike=st.decimals("10000", "300000", places=0),
    index=st.decimals("20000", "150000", places=2),
    basis=st.decimals("0.9", "1.2", places=3),
    premium=st.decimals("0.0001", "1.5", places=4),
    call=st.booleans(),
    settle=st.sampled_from(["BTC", "USDC"]),
)
def test_an_options_bracket_is_what_a_short_one_is_charged(
    strike: Decimal,
    index: Decimal,
    basis: Decimal,
    premium: Decimal,
    call: bool,
    settle: str,
) -> None:
    """A short one's value is in the equity too: the bracket may not be less than both together.

    A long one's value is in our equity and in no margin balance: the bracket takes it out.
    """
    market = option(str(strike), call=call, settle=settle)
    forward = index * basis
    mark = premium if settle == "BTC" else premium * forward
    prices = Prices(mark, index, forward)
    notional = D(1) if settle == "BTC" else index
    initial, maintenance = required(tiers_of(market, prices), notional)
    exact = shorted(market, prices)
    for bound, wanted in zip((initial, maintenance), exact, strict=True):
        assert wanted <= bound + DUST
    assert maintenance <= exact[1] + DUST
    assert initial <= max(exact) + DUST
    assert maintenance >= mark - DUST


def test_an_option_of_an_underlying_without_a_documented_rule_is_margined_in_full() -> None:
    market = option("1", call=True, settle="USDC", base="XRP")
    (tier,) = tiers_of(market, Prices(D("0.2"), D(2), D(2)))
    assert tier == Tier(cap=tier.cap, maintenance=D("1.1"), initial=D("1.1"))


@pytest.mark.parametrize("key", ["initial_margin", "maintenance_margin"])
def test_a_position_that_is_charged_more_than_documented_is_refused(key: str) -> None:
    """The row of the venue's own page on positions, its rules of today."""
    prices = Prices(D("7476.65"), D("7466.79"), D("7466.79"))
    row = {
        "instrument_name": "BTC-PERPETUAL",
        "size_currency": "0.006687487",
        "initial_margin": "0.000133750",
        "maintenance_margin": "0.000066877",
    }
    check(future("BTC", inverse=True), row, prices)
    with pytest.raises(VenueError, match=f"MARGIN_IDENTITY.*{key}"):
        check(future("BTC", inverse=True), {**row, key: "0.000197283"}, prices)
