"""Kraken Futures by payload replay: its documentation's answers, and figures computed by hand."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.kraken import FACTS, ORDER_STATES
from allocator.adapters.ccxt.kraken_orders import uuid_of
from allocator.adapters.emulator.wire import Call
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Rejected
from tests.adapters.ccxt import kraken_payloads as kraken
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, fixtures, gathered, sent
from tests.adapters.ccxt.replay import BROKEN, Replay
from tests.adapters.times import ago

D = Decimal
BTC, ETH = "krakenfutures:BTC/USD:USD", "krakenfutures:ETH/USD:USD"
RECORDED = kraken.RECORDED
ACCOUNTS, POSITIONS = f"GET {kraken.V3}/accounts", f"GET {kraken.V3}/openpositions"
ORDERS, EXECUTIONS = f"GET {kraken.HISTORY}/orders", f"GET {kraken.HISTORY}/executions"


played, venue, config = fixtures(RECORDED)


def found(config: Config) -> Any:
    return run_with(config, lambda opened: opened.venues["flex"].find(RECORDED.intent(), ago(60)))


def test_every_currency_is_held_and_counts_as_the_wallet_says(config: Config) -> None:
    account = gathered(config).snapshot.account["flex"]
    assert {name: row.wallet for name, row in account.balances.items()} == {
        "BTC": D("0.1185308247"), "USD": 5000, "EUR": D("4540.5837374453")
    }  # fmt: skip
    ratios = {name: tiers[0].ratio for name, tiers in account.collateral.items()}
    assert ratios == {"BTC": D("0.97755"), "USD": 1, "EUR": D("0.97755")}
    assert (account.margin.model, account.margin.asset_mode) == ("whole_position", "multi")
    held = account.positions[BTC]
    assert (held.quantity, held.entry_price, held.unrealised) == (D("-0.01"), 42685, D("5.00"))


def test_money_that_is_owed_is_negative_and_may_not_leave(config: Config, venue: Replay) -> None:
    owed = {"quantity": -50.5, "value": -50.5, "collateral": -50.5, "available": 0}
    told = {
        **kraken.FLEX, "currencies": {**kraken.FLEX["currencies"], "USD": owed},
        "balanceValue": 9947.358343510452, "portfolioValue": 9952.358343510452,
        "collateralValue": 9722.906423698646, "marginEquity": 9727.906423698646,
    }  # fmt: skip
    venue.table[ACCOUNTS] = kraken.ok(accounts={"flex": told, "cash": {"balances": {}}})
    account = gathered(config).snapshot.account["flex"]
    assert account.balances["USD"].wallet == D("-50.5")
    assert account.balances["USD"].withdrawable == 0


def test_a_contract_has_levels_that_state_initial_margin_and_hourly_funding(config: Config) -> None:
    market = gathered(config).snapshot.instrument[BTC]
    assert (market.lot, market.tick, market.contract_size) == (D("0.0001"), D("0.5"), 1)
    assert [(t.cap, t.initial, t.maintenance, t.deduction) for t in market.tiers] == [
        (500000, D("0.02"), D("0.01"), 0),
        (2000000, D("0.04"), D("0.02"), 0),
    ]
    assert market.funding is not None
    assert (market.funding.rate, market.funding.interval_h) == (D("0.00001"), 1)


def test_a_suspended_market_is_halted_and_fees_are_the_dearest_of_the_schedule(
    config: Config,
) -> None:
    snapshot = gathered(config).snapshot
    assert snapshot.instrument[ETH].status == "halted"
    fees = snapshot.account["flex"].fees
    assert (fees.taker, fees.by[BTC].maker) == (D("0.0005"), D("0.0002"))


def test_a_position_or_an_order_in_a_wallet_that_nobody_reads_freezes_and_is_named(
    config: Config, venue: Replay
) -> None:
    inverse = {**kraken.POSITION, "symbol": "pi_xbtusd", "size": 500}
    standing = kraken.open_order(symbol="PI_XBTUSD")
    for path, answer, words in (
        (POSITIONS, kraken.ok(openPositions=[kraken.POSITION, inverse]), "a position"),
        (f"GET {kraken.V3}/openorders", kraken.ok(openOrders=[standing]), "an order"),
    ):
        before, venue.table[path] = venue.table[path], answer
        book = gathered(config)
        assert book.snapshot.account["flex"].state == "frozen"
        (why,) = [row.what for row in book.missing if row.account == "flex"]
        assert f"UNREAD_WALLET: {words} in PI_XBTUSD" in why
        reading = run_with(config, lambda opened: opened.venues["flex"].read())
        assert not reading.complete
        venue.table[path] = before


def test_a_losing_long_is_margined_at_its_entry_and_not_frozen_for_it(
    config: Config, venue: Replay
) -> None:
    """A fifth was lost: the wallet states 500 dollars of margin, the mark alone would make 400."""
    lost = D("0.9485") * (42175 - D("52718.75"))
    bought = {**kraken.POSITION, "side": "long", "price": 52718.75, "unrealizedFunding": 0,
              "size": 0.9485}  # fmt: skip
    flex = {
        **kraken.FLEX, "totalUnrealized": str(lost), "totalUnrealizedAsMargin": str(lost),
        "portfolioValue": str(D("14997.858343510452") + lost),
        "marginEquity": str(D("14773.406423698646") + lost), "maintenanceMargin": "500.0373",
    }  # fmt: skip
    venue.table[ACCOUNTS] = kraken.ok(accounts={"flex": flex, "cash": {"balances": {}}})
    venue.table[POSITIONS] = kraken.ok(openPositions=[bought])
    account = gathered(config).snapshot.account["flex"]
    assert account.state == "open"
    first, second = account.positions[BTC].tiers
    assert (first.maintenance, first.initial) == (D("0.0125"), D("0.025"))
    assert (first.cap, second.cap) == (400000, 1600000)
    stated = account.positions[BTC].net * 42175 * first.maintenance
    assert abs(stated - D("500.0373")) < D("0.001")


def test_a_position_whose_entry_is_no_dearer_has_the_levels_of_its_contract(
    config: Config, venue: Replay
) -> None:
    assert gathered(config).snapshot.account["flex"].positions[BTC].tiers[0].maintenance == D(
        "0.010120924719"
    )
    cheaper = {**kraken.POSITION, "side": "long", "price": 41665}
    venue.table[POSITIONS] = kraken.ok(openPositions=[cheaper])
    account = gathered(config).snapshot.account["flex"]
    assert (account.state, account.positions[BTC].tiers) == ("open", ())


def test_a_pair_with_a_leverage_of_its_own_is_not_traded(config: Config, venue: Replay) -> None:
    venue.table[f"GET {kraken.V3}/leveragepreferences"] = kraken.ok(
        leveragePreferences=[{"symbol": "PF_ETHUSD", "maxLeverage": 30}]
    )
    held = gathered(config).snapshot.account["flex"].positions
    assert held[ETH].isolated is not None
    assert (held[ETH].may_trade, held[BTC].may_trade) == (False, True)


def _flex(**changes: Any) -> Any:
    return kraken.ok(accounts={"flex": {**kraken.FLEX, **changes}, "cash": {"balances": {}}})


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        (ACCOUNTS, _flex(marginEquity=14000), "EQUITY_IDENTITY: marginEquity=14000"),
        (ACCOUNTS, _flex(balanceValue=15097.858343510452, portfolioValue=15102.858343510452),
         "EQUITY_IDENTITY: balanceValue"),
        (ACCOUNTS, _flex(maintenanceMargin=42), "MARGIN_LEVELS: stated=42"),
        (ACCOUNTS, kraken.ok(accounts={}), "no wallet flex"),
        (POSITIONS, kraken.ok(openPositions=[]), "EQUITY_IDENTITY: USD unrealised=5"),
        (POSITIONS, kraken.ok(openPositions=[{**kraken.POSITION, "symbol": "PF_NEWUSD"}]),
         "unknown market"),
        (POSITIONS, kraken.ok(openPositions=[{**kraken.POSITION, "side": "net"}]),
         "position side net"),
        (POSITIONS, kraken.ok(openPositions=[kraken.POSITION, kraken.POSITION]), "two positions"),
        (f"GET {kraken.V3}/leveragepreferences",
         kraken.ok(leveragePreferences=[{"symbol": "PF_XBTUSD", "maxLeverage": 5}]), "is isolated"),
        (f"GET {kraken.V3}/openorders", kraken.no("authenticationError"), "authenticationError"),
    ],
)  # fmt: skip
def test_an_account_that_is_not_understood_stands_frozen_and_says_why(
    config: Config, venue: Replay, path: str, answer: Any, words: str
) -> None:
    venue.table[path] = answer
    book = gathered(config)
    assert book.snapshot.account["flex"].state == "frozen"
    assert [words in row.what for row in book.missing if row.account == "flex"] == [True]


@pytest.mark.parametrize(("style", "kind"), [("ioc", "ioc"), ("post_only", "post")])
def test_an_order_says_what_was_meant_and_until_when_it_is_good(
    config: Config, venue: Replay, style: str, kind: str
) -> None:
    at = datetime(2026, 2, 25, 9, 45, 53, 818000, tzinfo=UTC)
    intent = RECORDED.intent(style=style, reduce_only=True, stamped_at=at)
    assert sent(config, intent) == Ack(venue_id=kraken.UID)
    (call,) = venue.asked(RECORDED.order)
    until = datetime.fromisoformat(call.text("processBefore"))
    assert abs((until - at).total_seconds() - 5) < 1
    assert {name: told for name, told in call.params.items() if name != "processBefore"} == {
        "orderType": kind,
        "symbol": "PF_XBTUSD",
        "side": "sell",
        "size": "0.009",
        "limitPrice": "42174.5",
        "cliOrdId": kraken.NAME,
        "reduceOnly": "true",
    }


@pytest.mark.parametrize("code", sorted(FACTS.definitive | FACTS.stale))
def test_a_documented_refusal_is_a_rejection(config: Config, venue: Replay, code: str) -> None:
    placed = code in ORDER_STATES.split()
    venue.table[RECORDED.order] = kraken.sent(code) if placed else kraken.no(code)
    outcome = sent(config, RECORDED.intent())
    assert isinstance(outcome, Rejected)
    assert outcome.code == code
    assert len(venue.asked(RECORDED.order)) == 1


def test_a_nonce_that_is_known_says_that_the_same_request_came_before(
    config: Config, venue: Replay
) -> None:
    venue.table[RECORDED.order] = kraken.no("nonceDuplicate")
    assert sent(config, RECORDED.intent()).outcome == "unknown"
    venue.table |= kraken.found(KEY)
    assert sent(config, RECORDED.intent()) == Ack(venue_id=kraken.UID)


@pytest.mark.parametrize(
    "answer",
    [kraken.no("nonceBelowThreshold"), kraken.no("Server Error"), kraken.no("unknownError"),
     kraken.no("Unavailable"),
     kraken.no("apiLimitExceeded", 429), kraken.sent("somethingNew"), kraken.ok()],
)  # fmt: skip
def test_any_other_answer_leaves_the_outcome_unknown(
    config: Config, venue: Replay, answer: Any
) -> None:
    venue.table[RECORDED.order] = answer
    assert sent(config, RECORDED.intent()).outcome == "unknown"
    assert len(venue.asked(RECORDED.order)) == 1


def test_too_many_requests_of_the_address_hold_the_next_ones_back(
    config: Config, venue: Replay
) -> None:
    venue.table[RECORDED.order] = kraken.no("apiLimitExceeded")

    async def twice(opened: Any) -> Any:
        one = opened.venues["flex"]
        return await one.submit(RECORDED.intent()), await one.submit(RECORDED.intent())

    first, second = run_with(config, twice)
    assert (first.outcome, second.outcome, second.code) == ("unknown", "rejected", "NOT_SENT")
    assert len(venue.asked(RECORDED.order)) == 1


def test_what_a_filled_order_cost_is_added_up(config: Config, venue: Replay) -> None:
    venue.table |= kraken.found(KEY)
    told = found(config)
    assert (told.state, told.filled, told.fees) == ("filled", D("0.009"), {"USD": D("0.1897")})
    assert told.average_price == D("42174.777777777778")


@pytest.mark.parametrize(
    ("events", "fills", "state", "filled"),
    [
        ((kraken.PLACED, kraken.CANCELLED), (), "cancelled", "0"),
        ((kraken.PLACED, kraken.CANCELLED), (kraken.execution("0.004", "42174.5", "0.08"),),
         "cancelled", "0.004"),
        ((), (kraken.execution("0.009", "42174.5", "0.19"),), "filled", "0.009"),
    ],
)  # fmt: skip
def test_an_order_that_ended_is_found_in_history(
    config: Config, venue: Replay, events: Any, fills: Any, state: str, filled: str
) -> None:
    venue.table[ORDERS] = kraken.history(*events)
    venue.table[EXECUTIONS] = kraken.history(*fills)
    told = found(config)
    assert (told.state, told.filled, told.venue_id) == (state, D(filled), kraken.UID)


PART = kraken.execution("0.001", "42174.5", "0.02"), kraken.execution("0.003", "42175", "0.06")
"""Fills of 0.004 in all."""


def test_a_standing_order_that_was_filled_in_part_says_so(config: Config, venue: Replay) -> None:
    row = kraken.open_order(filledSize=0.004, unfilledSize=0.005, status="partiallyFilled")
    venue.table[f"GET {kraken.V3}/openorders"] = kraken.ok(openOrders=[row])
    venue.table[EXECUTIONS] = kraken.history(*PART)
    told = found(config)
    assert (told.state, told.filled, told.fees) == ("partial", D("0.004"), {"USD": D("0.08")})


def test_fills_that_show_before_the_book_was_read_anew_count(config: Config, venue: Replay) -> None:
    row = kraken.open_order(filledSize=0.001, unfilledSize=0.008, status="partiallyFilled")
    venue.table[f"GET {kraken.V3}/openorders"] = kraken.ok(openOrders=[row])
    for fills, state, filled in (
        (PART, "partial", "0.004"),
        ((kraken.execution("0.009", "42174.5", "0.19"),), "filled", "0.009"),
    ):
        venue.table[EXECUTIONS] = kraken.history(*fills)
        told = found(config)
        assert (told.state, told.filled) == (state, D(filled))


@pytest.mark.parametrize("shown", [0, 1])
@pytest.mark.parametrize("ended", [False, True], ids=["standing", "cancelled"])
def test_no_fee_is_told_before_every_fill_of_an_order_shows(
    config: Config, venue: Replay, ended: bool, shown: int
) -> None:
    """The order says how much was filled: in the book, or as it was when it was cancelled."""
    if ended:
        last = {**kraken.order(), "filled": "0.004"}
        cancelled = ("OrderCancelled", {"order": last, "reason": "ioc_order_not_filled"})
        venue.table[ORDERS] = kraken.history(kraken.PLACED, cancelled)
    else:
        row = kraken.open_order(filledSize=0.004, unfilledSize=0.005, status="partiallyFilled")
        venue.table[f"GET {kraken.V3}/openorders"] = kraken.ok(openOrders=[row])
    venue.table[EXECUTIONS] = kraken.history(*PART[:shown])
    assert found(config).finding == "unsure"
    venue.table[EXECUTIONS] = kraken.history(*PART)
    told = found(config)
    assert (told.state, told.filled) == ("cancelled" if ended else "partial", D("0.004"))
    assert (told.fees, told.average_price) == ({"USD": D("0.08")}, D("42174.875"))


@pytest.mark.parametrize("data", [None, {}, {"fee": None}, {"fee": ""}])
def test_a_fill_without_its_fee_is_not_taken_for_a_free_one(
    config: Config, venue: Replay, data: Any
) -> None:
    kind, told = kraken.execution("0.009", "42174.5", "0.19")
    fill = {**told["execution"], "orderData": data}
    venue.table[EXECUTIONS] = kraken.history((kind, {**told, "execution": fill}))
    assert found(config).finding == "unsure"


def test_an_order_that_ended_and_does_not_say_how_much_was_filled_is_unsure(
    config: Config, venue: Replay
) -> None:
    last = {key: value for key, value in kraken.order().items() if key != "filled"}
    cancelled = ("OrderCancelled", {"order": last, "reason": "cancelled_by_user"})
    venue.table[ORDERS] = kraken.history(kraken.PLACED, cancelled)
    assert found(config).finding == "unsure"


def test_an_order_whose_end_is_not_told_yet_is_no_absence(config: Config, venue: Replay) -> None:
    venue.table[ORDERS] = kraken.history(kraken.PLACED)
    assert found(config).finding == "unsure"


def test_orders_of_others_are_not_taken_for_it_and_every_page_is_read(
    config: Config, venue: Replay
) -> None:
    other = kraken.execution("0.009", "42174.5", "0.19", "somebody-else")

    def page(call: Call) -> Any:
        if call.text("continuation_token"):
            return kraken.history(kraken.execution("0.009", "42174.5", "0.19"))
        return {**kraken.history(other), "continuationToken": "bmV4dA=="}

    venue.table[EXECUTIONS] = kraken.history(other)
    assert isinstance(found(config), AbsentNow)
    venue.table[EXECUTIONS] = page
    assert found(config).state == "filled"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (kraken.ok(cancelStatus={"status": "filled"}), "rejected"),
        (kraken.ok(cancelStatus={"status": "somethingNew"}), "unknown"),
        (kraken.ok(), "unknown"),
    ],
)
def test_a_cancel_that_came_too_late_is_told_from_one_nobody_answered(
    config: Config, venue: Replay, answer: Any, outcome: str
) -> None:
    venue.table[RECORDED.cancel] = answer
    told = run_with(config, lambda opened: opened.venues["flex"].cancel(RECORDED.intent()))
    assert told.outcome == outcome


def test_the_dead_mans_switch_is_set_in_seconds(config: Config, venue: Replay) -> None:
    told = run_with(config, lambda opened: opened.venues["flex"].cancel_after(60))
    assert told == Ack(venue_id="2026-02-25T09:46:53.818Z")
    (call,) = venue.asked(f"POST {kraken.V3}/cancelallordersafter")
    assert call.text("timeout") == "60"
    venue.table[f"POST {kraken.V3}/cancelallordersafter"] = BROKEN
    told = run_with(config, lambda opened: opened.venues["flex"].cancel_after(60))
    assert told.outcome == "unknown"


def test_a_client_id_is_written_as_a_uuid() -> None:
    assert uuid_of(KEY) == kraken.NAME
