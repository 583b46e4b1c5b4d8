"""The sign of a position, and how far two reads may tell its profit apart."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.adapters.ccxt.binance_reads import check_side
from allocator.adapters.ccxt.pairs import NEAR, check_sign
from allocator.adapters.emulator.testing import Emulator
from allocator.models.config import Config
from allocator.models.errors import VenueError
from tests.adapters.ccxt import bitget_payloads as bitget
from tests.adapters.ccxt import gateio_payloads as gate
from tests.adapters.ccxt import kucoin_payloads as kucoin
from tests.adapters.ccxt import portfolio_payloads as pm
from tests.adapters.ccxt.recorded import Recorded, gathered, playing
from tests.adapters.ccxt.replay import Replay

D = Decimal
Played = tuple[Replay, Emulator, Config]


@pytest.fixture
def played(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    with playing(request.param, monkeypatch) as found:
        yield found


def states(played: Played, recorded: Recorded, **table: Any) -> tuple[str, str]:
    """Gather with some answers changed; the state of the account that trades, and why."""
    venue, _, config = played
    venue.table |= table
    book = gathered(config)
    told = [row.what for row in book.missing if row.account == recorded.trades]
    return book.snapshot.account[recorded.trades].state, "; ".join(told)


positive = st.decimals(D("0.01"), D(100000), places=4, allow_nan=False, allow_infinity=False)


@given(size=positive, entry=positive, mark=positive, short=st.booleans(), inverse=st.booleans())
def test_what_a_position_gains_never_contradicts_it_and_always_its_opposite(
    size: Decimal, entry: Decimal, mark: Decimal, short: bool, inverse: bool
) -> None:
    quantity = -size if short else size
    profit = quantity * (1 / entry - 1 / mark) if inverse else quantity * (mark - entry)
    told = {"entry": entry, "mark": mark, "profit": profit}
    check_sign("it", quantity, told, quantity * mark)
    if abs(mark - entry) > NEAR * entry:
        with pytest.raises(VenueError, match=r"EQUITY_IDENTITY: it size=.* profit="):
            check_sign("it", -quantity, told, None)
    with pytest.raises(VenueError, match="EQUITY_IDENTITY: it size="):
        check_sign("it", -quantity, told, quantity * mark)


@pytest.mark.parametrize("missing", ["entry", "mark", "profit"])
def test_a_figure_that_is_not_told_contradicts_nothing(missing: str) -> None:
    told = {"entry": D(100), "mark": D(90), "profit": D(10)}
    check_sign("it", D(1), {**told, missing: None}, None)


def test_a_mark_that_may_have_crossed_the_entry_between_two_figures_tells_nothing() -> None:
    near = {"entry": D(10000), "mark": D(10001), "profit": D(-1)}
    check_sign("it", D(1), near, None)
    with pytest.raises(VenueError, match=r"size=1 profit=-1 entry=10000 mark=10001\.1"):
        check_sign("it", D(1), {**near, "mark": D("10001.1")}, None)


@pytest.mark.parametrize(("side", "amount"), [("LONG", "-1.000"), ("SHORT", "1.000")])
def test_a_leg_of_the_other_sign_is_refused_at_binance(side: str, amount: str) -> None:
    """Shape: the page "Position Information V3", whose short leg has both below zero."""
    row = {"symbol": "COMPUSDT", "positionSide": "SHORT", "positionAmt": "-1.000",
           "entryPrice": "70.92841", "markPrice": "49.72023376",
           "unRealizedProfit": "21.20817624", "notional": "-49.72023376"}  # fmt: skip
    check_side(row)
    with pytest.raises(VenueError, match=f"size={amount} of its {side} leg"):
        check_side({**row, "positionSide": side, "positionAmt": amount})
    with pytest.raises(VenueError, match=r"EQUITY_IDENTITY: COMPUSDT size=1\.000 profit=21"):
        check_side({**row, "positionSide": "BOTH", "positionAmt": "1.000"})
    with pytest.raises(VenueError, match=r"EQUITY_IDENTITY: COMPUSDT size=-1\.000 worth=49"):
        check_side({**row, "notional": "49.72023376"})


UM, GATE = f"GET {pm.P}/um/positionRisk", f"GET {gate.FUTURES}/positions"
FLIPPED: Mapping[str, tuple[Recorded, dict[str, Any], str]] = {
    "portfolio margin, by its notional": (
        pm.RECORDED, {UM: [{**pm.POSITION, "positionAmt": "-0.001", "unRealizedProfit": "0"}]},
        "size=-0.001 worth=21.12305052",
    ),
    "portfolio margin, by its profit": (
        pm.RECORDED, {UM: [{**pm.POSITION, "positionAmt": "-0.001", "notional": ""}]},
        "size=-0.001 profit=-1.06214947 entry=22185.2 mark=21123.05052574",
    ),
    "KuCoin, by its value": (
        kucoin.RECORDED, {"GET /api/v1/positions": kucoin.ok([{**kucoin.POSITION,
                                                               "currentQty": -1}])},
        "XBTUSDTM size=-1 worth=96.9856",
    ),
    "KuCoin, by its profit": (
        kucoin.RECORDED,
        {"GET /api/v1/positions": kucoin.ok([{**kucoin.POSITION, "currentQty": -1,
                                              "avgEntryPrice": 96000, "unrealisedPnl": 0.9856}])},
        "XBTUSDTM size=-1 profit=0.9856 entry=96000 mark=96985.6",
    ),
    "Gate, by its profit": (
        gate.RECORDED,
        {GATE: [{**gate.SHORT, "size": "9440", "mark_price": "3780.32"}, gate.ALONE]},
        "BTC_USDT size=9440 profit=-0.72688 entry=3779.55 mark=3780.32",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("played", "recorded", "table", "words"),
    [(row[0], *row) for row in FLIPPED.values()],
    ids=list(FLIPPED), indirect=["played"],
)  # fmt: skip
def test_a_size_that_another_figure_contradicts_freezes_and_both_are_told(
    played: Played, recorded: Recorded, table: dict[str, Any], words: str
) -> None:
    assert states(played, recorded)[0] == "open"
    state, why = states(played, recorded, **table)
    assert state == "frozen"
    assert "EQUITY_IDENTITY" in why
    assert words in why


def _bitget(gain: str) -> dict[str, Any]:
    return {f"GET {bitget.MIX}/account/accounts": bitget.accounts(
        {**bitget.ACCOUNT, "unrealizedPL": gain}
    )}  # fmt: skip


def _gate(gain: str) -> dict[str, Any]:
    return {f"GET {gate.FUTURES}/accounts": {**gate.ACCOUNT, "unrealised_pnl": gain}}


def _kucoin(gain: str) -> dict[str, Any]:
    equity = str(D("387.216058816") + D(gain))
    told = {**kucoin.ACCOUNT, "unrealisedPNL": gain, "accountEquity": equity}
    return {"GET /api/v1/account-overview": kucoin.ok(told)}


@pytest.mark.parametrize(
    ("played", "recorded", "table", "state"),
    [
        (bitget.RECORDED, bitget.RECORDED, _bitget("2.255"), "open"),
        (bitget.RECORDED, bitget.RECORDED, _bitget("2.256"), "frozen"),
        (bitget.RECORDED, bitget.RECORDED, _bitget("-0.255"), "open"),
        (bitget.RECORDED, bitget.RECORDED, _bitget("-0.256"), "frozen"),
        (gate.RECORDED, gate.RECORDED, _gate("13.4552"), "open"),
        (gate.RECORDED, gate.RECORDED, _gate("13.4553"), "frozen"),
        (kucoin.RECORDED, kucoin.RECORDED, _kucoin("0.4937"), "open"),
        (kucoin.RECORDED, kucoin.RECORDED, _kucoin("0.4938"), "frozen"),
    ],
    indirect=["played"],
)
def test_two_reads_may_differ_by_half_a_hundredth_of_the_positions(
    played: Played, recorded: Recorded, table: dict[str, Any], state: str
) -> None:
    """251, 3958.62208 and 96.9856 dollars of positions: 1.255, 19.79311 and 0.484928."""
    assert states(played, recorded, **table)[0] == state


@pytest.mark.parametrize("played", [kucoin.RECORDED], indirect=True)
@pytest.mark.parametrize(("more", "state"), [("0.01", "open"), ("0.011", "frozen")])
def test_figures_of_one_answer_may_differ_by_a_cent(played: Played, more: str, state: str) -> None:
    equity = str(D("387.224858816") + D(more))
    table = {"GET /api/v1/account-overview": kucoin.ok({**kucoin.ACCOUNT, "accountEquity": equity})}
    assert states(played, kucoin.RECORDED, **table)[0] == state
