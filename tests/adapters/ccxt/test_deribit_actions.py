"""Orders, transfers, withdrawals and moves at Deribit."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.ccxt.deribit import FACTS
from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    AbsentNow,
    Ack,
    Found,
    MoveIntent,
    Rejected,
    Unknown,
    Unsure,
)
from tests.adapters.ccxt.deribit_words import (
    CALL,
    ID,
    INVERSE,
    LINEAR,
    PUT,
    SPOT,
    WRITES,
    count,
    move,
    order,
    transfer,
    withdrawal,
)
from tests.adapters.times import ago, now

D = Decimal
Run = Callable[[Config, Callable[[Opened], Awaitable[Any]]], Any]


@pytest.mark.parametrize(
    ("instrument", "quantity", "price", "fee_coin"),
    [
        (LINEAR, "3", "64100", "USDC"),
        (INVERSE, "500", "64100", "BTC"),
        (CALL, "0.3", "0.1345", "BTC"),
        (SPOT, "0.0035", "64100", "BTC"),
    ],
)
def test_an_order_is_acknowledged_filled_and_found(
    run: Run, deribit_out: Config, instrument: str, quantity: str, price: str, fee_coin: str
) -> None:
    sent = order(instrument=instrument, quantity=quantity, limit_price=price)

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        ack = await venue.submit(sent)
        assert isinstance(ack, Ack)
        found = await venue.find(sent, ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.state) == (ack.venue_id, "filled")
        assert found.filled == D(quantity)
        assert found.average_price is not None
        assert found.average_price <= D(price)
        assert list(found.fees) == [fee_coin]
        assert (found.fees[fee_coin] > 0) == (instrument != SPOT)

    run(deribit_out, work)


def test_an_order_that_finds_nothing_is_found_cancelled_and_empty(
    run: Run, deribit_out: Config
) -> None:
    sent = order(limit_price="60000")

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        assert isinstance(await venue.submit(sent), Ack)
        found = await venue.find(sent, ago())
        assert isinstance(found, Found)
        assert (found.state, found.filled, found.fees) == ("cancelled", 0, {})

    run(deribit_out, work)


def test_an_order_of_last_week_is_found_in_the_historical_records(
    run: Run, deribit_out: Config, emulator: Emulator
) -> None:
    sent = order()

    async def send(opened: Opened) -> None:
        assert isinstance(await opened.venues["deribit-main"].submit(sent), Ack)

    async def look(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        found = await venue.find(sent, ago(7 * 86_400 + 60))
        assert isinstance(found, Found)
        assert (found.state, found.filled) == ("filled", 3)
        assert isinstance(await venue.find(sent, ago()), AbsentNow)

    run(deribit_out, send)
    emulator.admin("POST", "clock", advance_ms=7 * 86_400_000)
    run(deribit_out, look)


def test_a_resting_order_is_read_in_contracts_and_cancelled_once(
    run: Run, deribit_out: Config
) -> None:
    resting = order(instrument=INVERSE, quantity="500", limit_price="60000", style="post_only")

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        assert isinstance(await venue.submit(resting), Ack)
        (seen,) = (await venue.read()).open_orders
        assert (seen.instrument, seen.side, seen.quantity, seen.price) == (
            INVERSE, "buy", 500, 60000,
        )  # fmt: skip
        assert isinstance(await venue.cancel(resting), Ack)
        again = await venue.cancel(resting)
        assert isinstance(again, Rejected)
        assert again.code == "10010"

    run(deribit_out, work)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "3.5"}, "10021"),
        ({"limit_price": "64100.3"}, "10043"),
        ({"instrument": PUT, "quantity": "1", "limit_price": "0.1301"}, "10043"),
        ({"quantity": "9000000"}, "10009"),
        ({"style": "post_only"}, "11054"),
        ({"reduce_only": True}, "11030"),
        ({"stamped_at": 5}, "13888"),
    ],
)
def test_a_refusal_is_told_by_its_code_and_leaves_nothing(
    run: Run, deribit_out: Config, emulator: Emulator, changes: dict[str, Any], code: str
) -> None:
    """A coarser tick holds above 0.005; `valid_until` is five seconds after the stamp."""
    data = {k: ago(v) if k == "stamped_at" else v for k, v in changes.items()}

    async def work(opened: Opened) -> None:
        outcome = await opened.venues["deribit-main"].submit(order(**data))
        assert isinstance(outcome, Rejected)
        assert outcome.code == code

    run(deribit_out, work)
    assert count(emulator, "orders") == 0


@pytest.mark.parametrize("name", ["transfer", "withdrawal", "move"])
@pytest.mark.parametrize(("age", "accepted"), [(4.999, True), (5, False)])
def test_what_has_no_expiry_of_its_own_is_refused_five_seconds_after_its_stamp(
    run: Run, deribit_out: Config, emulator: Emulator, name: str, age: float, accepted: bool
) -> None:
    write = WRITES[name]
    late = write.intent.model_copy(update={"stamped_at": ago(age)})

    async def work(opened: Opened) -> None:
        outcome = await opened.venues["deribit-main"].submit(late)
        assert isinstance(outcome, Ack if accepted else Rejected)

    run(deribit_out, work)
    assert count(emulator, write.effects) == accepted


def test_every_signature_bears_a_nonce_of_its_own(
    run: Run, deribit_out: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ccxt's repeats within a millisecond, in which all of these are stamped."""
    seen = list[str]()
    sent = LoopbackSession.get

    def noted(session: Any, url: object, **told: Any) -> Any:
        if "get_open_orders" in str(url):
            seen.append(told["headers"]["Authorization"].partition("nonce=")[2].partition(",")[0])
        return sent(session, url, **told)

    monkeypatch.setattr(LoopbackSession, "get", noted)

    async def work(opened: Opened) -> None:
        login = opened.venues["deribit-main"]._place.login  # type: ignore[attr-defined]
        await login.prepare()
        stamp = ago(1)
        for _ in range(20):
            await login.call("private_get_get_open_orders", {}, stamp)

    run(deribit_out, work)
    assert len(set(seen)) == 20


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("deribit-main", "deribit-a"),
        ("deribit-a", "deribit-main"),
        ("deribit-b", "deribit-a"),
    ],
)
def test_money_moves_between_any_two_accounts_once_under_its_nonce(
    run: Run, deribit_out: Config, emulator: Emulator, source: str, target: str
) -> None:
    sent = transfer(source=source, target=target, amount="0.1", asset="BTC")

    async def work(opened: Opened) -> None:
        venue = opened.venues[source]
        before = [(await opened.venues[x].read()).wallets["BTC"] for x in (source, target)]
        assert isinstance(await venue.find(sent, ago()), AbsentNow)
        ack = await venue.submit(sent)
        assert isinstance(ack, Ack)
        assert await venue.submit(sent) == ack
        found = await venue.find(sent, ago())
        assert isinstance(found, Found)
        assert (found.venue_id, found.state, found.filled) == (ack.venue_id, "settled", D("0.1"))
        after = [(await opened.venues[x].read()).wallets["BTC"] for x in (source, target)]
        assert [b - a for a, b in zip(before, after, strict=True)] == [D("-0.1"), D("0.1")]

    run(deribit_out, work)
    assert count(emulator, "transfers") == 1


def test_more_than_there_is_does_not_leave(
    run: Run, deribit_out: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        for sent in (transfer(amount="99999999"), withdrawal(amount="99999999")):
            outcome = await opened.venues["deribit-main"].submit(sent)
            assert isinstance(outcome, Rejected)
            assert outcome.code == "10009"

    run(deribit_out, work)
    assert count(emulator, "transfers") + count(emulator, "withdrawals") == 0


def test_a_withdrawal_whose_fee_is_above_the_plans_is_not_sent(
    run: Run, deribit_out: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        sent = withdrawal().model_copy(update={"most_fee": D("1.99")})
        outcome = await opened.venues["deribit-main"].submit(sent)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "NOT_SENT"

    run(deribit_out, work)
    assert count(emulator, "withdrawals") == 0


def test_a_withdrawal_is_under_way_until_the_other_venue_credits_it(
    run: Run, deribit_out: Config, emulator: Emulator
) -> None:
    sent = withdrawal()

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        before = (await opened.venues["bybit-fund"].read()).wallets["USDT"]
        ack = await venue.submit(sent)
        assert isinstance(ack, Ack)
        assert await venue.submit(sent) == ack
        found = await venue.find(sent, ago())
        assert isinstance(found, Found)
        assert (found.state, found.fees) == ("in_transit", {"USDT": 2})
        emulator.admin("POST", "clock", advance_ms=2000)
        after = (await opened.venues["bybit-fund"].read()).wallets["USDT"]
        assert after - before == D("500.5")

    run(deribit_out, work)
    assert count(emulator, "withdrawals") == 1


@pytest.mark.parametrize("intent", [move(), move(instrument=CALL, side="buy", quantity="0.5",
                                                 price="0.1268491")])  # fmt: skip
def test_a_position_moves_at_the_mark_and_is_found_with_and_without_its_answer(
    run: Run, deribit_out: Config, intent: MoveIntent
) -> None:
    async def work(opened: Opened) -> None:
        venue, other = opened.venues["deribit-main"], opened.venues["deribit-a"]
        name = intent.instrument
        before = [(await row.read()).position(name) for row in (venue, other)]
        assert isinstance(await venue.find(intent, ago()), AbsentNow)
        ack = await venue.submit(intent)
        assert isinstance(ack, Ack)
        for venue_id in (ack.venue_id, None):
            found = await venue.find(intent, ago(), venue_id)
            assert isinstance(found, Found)
            assert (found.state, found.filled) == ("settled", intent.quantity)
        after = [(await row.read()).position(name) for row in (venue, other)]
        signed = intent.quantity if intent.side == "buy" else -intent.quantity
        assert [b - a for a, b in zip(before, after, strict=True)] == [-signed, signed]

    run(deribit_out, work)


def test_a_move_is_told_from_an_equal_one_whose_record_is_known(
    run: Run, deribit_out: Config, emulator: Emulator
) -> None:
    first, second = move(), move(client_id=ID[::-1])
    lost = {"path": "/api/v2/private/move_positions"}

    async def work(opened: Opened) -> None:
        venue, since = opened.venues["deribit-main"], ago()
        ack = await venue.submit(first)
        assert isinstance(ack, Ack)
        mine = await venue.find(first, since, ack.venue_id)
        assert isinstance(mine, Found)
        emulator.fault({"kind": "drop_before", **lost})
        assert isinstance(await venue.submit(second), Unknown)
        assert isinstance(await venue.find(second, since), AbsentNow)
        emulator.fault({"kind": "drop_after", **lost})
        assert isinstance(await venue.submit(second), Unknown)
        other = await venue.find(second, since)
        assert isinstance(other, Found)
        assert other.venue_id != mine.venue_id
        assert await venue.find(first, since, mine.venue_id) == mine
        gone = await venue.find(first, now() + timedelta(minutes=1), mine.venue_id)
        assert isinstance(gone, Unsure)
        assert "was found before" in gone.why

    run(deribit_out, work)
    assert count(emulator, "moves") == 2


def test_equal_moves_that_were_both_acknowledged_are_done(run: Run, deribit_out: Config) -> None:
    """The answer lists what moved: no record is needed for that, nor one that comes late."""
    first, second = move(), move(client_id=ID[::-1])

    async def work(opened: Opened) -> None:
        venue, since = opened.venues["deribit-main"], ago()
        acks = [await venue.submit(row) for row in (first, second)]
        for intent, ack in zip((first, second), acks, strict=True):
            assert isinstance(ack, Ack)
            for earliest in (since, now() + timedelta(minutes=1)):
                told = await venue.find(intent, earliest, ack.venue_id)
                assert isinstance(told, Found)
                assert told.state == "settled"

    run(deribit_out, work)


def test_a_trade_that_looks_like_a_move_is_never_taken_for_one(
    run: Run, deribit_out: Config
) -> None:
    """Three contracts sold at the very price of the move: the log cannot tell, so nobody can."""
    sold = order(instrument=LINEAR, side="sell", limit_price="64006")

    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        assert isinstance(await venue.submit(sold), Ack)
        found = await venue.find(sold, ago())
        assert isinstance(found, Found)
        assert found.average_price is not None
        same = move(instrument=LINEAR, side="buy", quantity="3", price=str(found.average_price))
        assert isinstance(await venue.find(same, ago()), Unsure)

    run(deribit_out, work)


def test_the_seventh_move_in_a_minute_is_refused_and_known_not_to_have_happened(
    run: Run, deribit_out: Config, emulator: Emulator
) -> None:
    async def work(opened: Opened) -> None:
        venue = opened.venues["deribit-main"]
        outcomes = [
            await venue.submit(move(client_id=f"{n:032d}", quantity=str(n + 1))) for n in range(7)
        ]
        assert [isinstance(row, Ack) for row in outcomes] == [True] * 6 + [False]
        last = outcomes[-1]
        assert isinstance(last, Rejected)
        assert last.code == "13780"

    run(deribit_out, work)
    assert count(emulator, "moves") == 6


def test_codes_that_leave_open_what_happened_are_in_no_list() -> None:
    known = FACTS.definitive | FACTS.stale | FACTS.gone | FACTS.duplicate
    for code in ("10001", "10028", "10040", "10041", "10047", "11051", "11094", "13028"):
        assert code not in known


def test_capabilities_say_who_may_do_what(run: Run, deribit_out: Config) -> None:
    async def work(opened: Opened) -> None:
        main = opened.venues["deribit-main"].capabilities
        sub = opened.venues["deribit-a"].capabilities
        assert (main.orders, main.transfers, main.withdrawals, main.moves) == (True,) * 4
        assert (sub.orders, sub.transfers, sub.withdrawals, sub.moves) == (
            True, True, False, True,
        )  # fmt: skip
        assert main.transfer_key
        assert main.client_id_reusable
        assert main.receive_window_s == 5

    run(deribit_out, work)
