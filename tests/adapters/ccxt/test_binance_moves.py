"""Position moves at Binance by payload replay: the answers of its pages of sub-accounts."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, MoveIntent, Rejected
from tests.adapters.ccxt import portfolio_payloads as payloads
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import KEY, playing, sent
from tests.adapters.ccxt.replay import BROKEN, Replay
from tests.adapters.times import ago

PATH = "/sapi/v1/sub-account/futures/move-position"
MOVED, HISTORY = f"POST {PATH}", f"GET {PATH}"
FROM, TO = "testFrom@google.com", "testTo@google.com"
INTENT = MoveIntent.model_validate(
    {"client_id": KEY, "source": "a", "target": "b", "instrument": "binance:BTC/USDT:USDT",
     "side": "buy", "quantity": "0.001", "price": "97139"}
)  # fmt: skip


def order(**other: Any) -> dict[str, Any]:
    row = {"fromUserEmail": FROM, "toUserEmail": TO, "productType": "UM", "symbol": "BTCUSDT",
           "priceType": "MARK_PRICE", "price": "97139.00000000", "quantity": "0.001",
           "positionSide": "BOTH", "side": "BUY", "success": True, **other}  # fmt: skip
    return {"movePositionOrders": [row]}


def history(*rows: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    return {
        "total": len(rows) if total is None else total,
        "futureMovePositionOrderVoList": list(rows),
    }


def past(**other: Any) -> dict[str, Any]:
    return {"fromUserEmail": FROM, "toUserEmail": TO, "productType": "UM", "symbol": "BTCUSDT",
            "price": "105025.50981609", "quantity": "0.00100000", "positionSide": "BOTH",
            "side": "SELL", "timeStamp": 2_537_544_712_000, **other}  # fmt: skip


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Replay, Config]]:
    with playing(payloads.RECORDED, monkeypatch) as (venue, _, config):
        told = config.model_dump(mode="json", exclude_unset=True)
        main = {**told["logins"]["main"], "member": TO}
        monkeypatch.setenv("BINANCE_SUB_KEY", "binance-sub-key")
        sub = {**main, "key": "env:BINANCE_SUB_KEY", "member": FROM, "master": "main"}
        told["logins"] = {"main": main, "sub": sub}
        own = {"wallet": "usdm", "owner": "fund-one"}
        told["accounts"] = [
            {**own, "id": "a", "login": "sub"}, {**own, "id": "b", "login": "main"},
            {**own, "id": "c", "login": "main", "wallet": "coinm"},
        ]  # fmt: skip
        venue.table |= {MOVED: order(), HISTORY: history()}
        yield venue, Config.model_validate(told)


def found(config: Config) -> Any:
    return run_with(config, lambda opened: opened.venues["a"].find(INTENT, ago(60)))


def test_a_move_says_what_is_meant(played: tuple[Replay, Config]) -> None:
    venue, config = played
    assert sent(config, INTENT) == Ack(venue_id=KEY)
    (call,) = venue.asked(MOVED)
    own = {"timestamp", "signature", "recvWindow"}
    assert {name: call.text(name) for name in call.params if name not in own} == {
        "fromUserEmail": FROM, "toUserEmail": TO, "productType": "UM",
        "orderArgs[0].symbol": "BTCUSDT", "orderArgs[0].quantity": "0.001",
        "orderArgs[0].positionSide": "BOTH",
    }  # fmt: skip


@pytest.mark.parametrize(
    "answer", [order(success=False), {"movePositionOrders": []}, {}, BROKEN, payloads.no(-1000)]
)
def test_what_is_not_plainly_done_is_unknown(played: tuple[Replay, Config], answer: Any) -> None:
    venue, config = played
    venue.table[MOVED] = answer
    assert sent(config, INTENT).outcome == "unknown"
    assert len(venue.asked(MOVED)) == 1


def test_a_documented_refusal_is_a_rejection(played: tuple[Replay, Config]) -> None:
    venue, config = played
    venue.table[MOVED] = payloads.no(-1102, "Mandatory parameter was not sent")
    assert isinstance(sent(config, INTENT), Rejected)


def test_a_move_is_found_by_what_was_sent(played: tuple[Replay, Config]) -> None:
    venue, config = played
    assert isinstance(found(config), AbsentNow)
    others = [past(quantity="0.002"), past(fromUserEmail=TO), past(symbol="ETHUSDT"),
              past(timeStamp=1)]  # fmt: skip
    venue.table[HISTORY] = history(*others)
    assert isinstance(found(config), AbsentNow)
    venue.table[HISTORY] = history(*others, past())
    told = found(config)
    assert (told.state, told.filled) == ("settled", Decimal("0.001"))
    assert told.average_price == Decimal("105025.50981609")


@pytest.mark.parametrize("answer", [history(past(), past()), history(total=101), BROKEN])
def test_a_history_that_does_not_tell_is_no_absence(
    played: tuple[Replay, Config], answer: Any
) -> None:
    venue, config = played
    venue.table[HISTORY] = answer
    assert found(config).finding == "unsure"


SECOND = INTENT.model_copy(update={"client_id": KEY[::-1]})


def test_of_two_equal_moves_that_were_taken_neither_is_found_by_the_only_record(
    played: tuple[Replay, Config],
) -> None:
    """The acknowledgement's id is our own and in no record: the one there is may be the other's."""
    venue, config = played
    venue.table[HISTORY] = history(past())

    async def work(opened: Opened) -> list[Any]:
        source = opened.venues["a"]
        acks = [await source.submit(row) for row in (INTENT, SECOND)]
        return [
            await source.find(row, ago(60), ack.venue_id)
            for row, ack in zip((INTENT, SECOND), acks, strict=True)
        ]

    told = run_with(config, work)
    assert [row.finding for row in told] == ["unsure", "unsure"]
    assert all("looks the same" in row.why for row in told)


def test_a_move_whose_record_is_known_is_told_from_the_next(played: tuple[Replay, Config]) -> None:
    venue, config = played
    mine, others = past(), past(timeStamp=2_537_544_712_001)

    async def work(opened: Opened) -> tuple[Any, ...]:
        source = opened.venues["a"]
        ack = await source.submit(INTENT)
        venue.table[HISTORY] = history(mine)
        first = await source.find(INTENT, ago(60), ack.venue_id)
        ack = await source.submit(SECOND)
        early = await source.find(SECOND, ago(60), ack.venue_id)
        venue.table[HISTORY] = history(mine, others)
        second = await source.find(SECOND, ago(60), ack.venue_id)
        again = await source.find(INTENT, ago(60), first.venue_id)
        venue.table[HISTORY] = history(others)
        return first, early, second, again, await source.find(INTENT, ago(60), first.venue_id)

    first, early, second, again, gone = run_with(config, work)
    assert (first.finding, early.finding, second.finding) == ("found", "absent", "found")
    assert first.venue_id != second.venue_id
    assert again == first
    assert gone.finding == "unsure"


def test_two_equal_moves_of_one_moment_are_told_apart_by_nobody(
    played: tuple[Replay, Config],
) -> None:
    venue, config = played

    async def work(opened: Opened) -> Any:
        source = opened.venues["a"]
        await source.submit(INTENT)
        venue.table[HISTORY] = history(past())
        await source.find(INTENT, ago(60), KEY)
        await source.submit(SECOND)
        venue.table[HISTORY] = history(past(), past())
        return await source.find(SECOND, ago(60), SECOND.client_id)

    assert run_with(config, work).finding == "unsure"


def test_only_usd_m_wallets_of_named_members_can_move(played: tuple[Replay, Config]) -> None:
    _, config = played

    async def read(opened: Any) -> Any:
        return {name: row.capabilities.moves for name, row in opened.venues.items()}

    assert run_with(config, read) == {"a": True, "b": True, "c": False}
    assert sent(config, INTENT.model_copy(update={"target": "c"})).code == "NOT_SENT"
