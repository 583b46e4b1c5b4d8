"""Options of the loopback exchanges: parity, slope and fees."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from allocator.adapters.emulator import options
from allocator.adapters.emulator.options import Option

D = Decimal
forwards = st.decimals("1000", "200000", places=1)
terms = st.builds(
    Option,
    strike=st.decimals("1000", "200000", places=0),
    call=st.booleans(),
    deviation=st.decimals("0.05", "1.5", places=2),
)


@given(option=terms, forward=forwards)
def test_a_call_less_a_put_is_forward_less_strike(option: Option, forward: Decimal) -> None:
    call = options.premium(replace(option, call=True), forward, in_coin=False)
    put = options.premium(replace(option, call=False), forward, in_coin=False)
    assert abs(call - put - (forward - option.strike)) < D("1e-5")
    assert min(call, put) >= 0


@given(option=terms, forward=forwards)
def test_a_premium_in_coin_is_the_one_in_dollars_over_the_forward(
    option: Option, forward: Decimal
) -> None:
    dollars = options.premium(option, forward, in_coin=False)
    assert abs(options.premium(option, forward, in_coin=True) * forward - dollars) < D("0.01")


@given(option=terms, forward=forwards)
def test_delta_is_the_slope_of_the_premium(option: Option, forward: Decimal) -> None:
    step = forward / 10_000
    above, below = (
        options.premium(option, forward + sign * step, in_coin=False) for sign in (1, -1)
    )
    assert abs((above - below) / (2 * step) - options.delta(option, forward)) < D("0.0005")


def test_a_fee_is_of_the_underlying_and_at_most_an_eighth_of_the_premium() -> None:
    assert options.fee(D("0.0003"), D(2), D(1), D("0.2")) == D("0.0006")
    assert options.fee(D("0.0003"), D(2), D(1), D("0.001")) == D("0.000125")
    assert options.fee(D("0.0003"), D(2), D(64000), D(5000)) == D("38.4")
