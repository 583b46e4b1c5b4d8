"""Hyperliquid by payload replay: several orders in one action.

The answer is the one of the page "Exchange endpoint", with a status for each order; that they are
as many as the orders, and that one error alone is of the whole action, the page "Error responses"
says. A resting or filled order bears its `cloid` (nktkas/hyperliquid, issue 3).
"""

import json
from typing import Any

import pytest

from allocator.adapters.ccxt.hyperliquid import FACTS, MOST_ORDERS, OF_ACTION
from allocator.adapters.emulator.testing import Emulator
from allocator.adapters.emulator.wire import Call, Reply
from allocator.models.config import Config
from allocator.models.intents import AbsentNow, Ack, Found, OrderIntent, Rejected
from tests.adapters.ccxt import hyperliquid_payloads as hyperliquid
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.recorded import emulated
from tests.adapters.ccxt.replay import BROKEN, Replay
from tests.adapters.ccxt.together import answered, codes, sent
from tests.adapters.ccxt.wording import READERS
from tests.adapters.times import ago

RECORDED = hyperliquid.RECORDED
ETH = "hyperliquid:ETH/USDC:USDC"
BATCH = RECORDED.order
played, venue, emulator, config = emulated(RECORDED)
ONE, TWO, THREE = (f"{number:032x}" for number in (1, 2, 3))
FUNDS, LATE = "Insufficient margin to place order", "Post only order would have immediately matched"
TICK = "Price must be divisible by tick size"


def intents(*names: str, **other: Any) -> list[OrderIntent]:
    return [RECORDED.intent(client_id=name, **other) for name in names]


def resting(name: str, oid: int | None = 7, **other: Any) -> dict[str, Any]:
    return {"resting": {"oid": oid, "cloid": f"0x{name}", **other}}


def filled(name: str, oid: int = 7) -> dict[str, Any]:
    return {"filled": {"totalSz": "0.012", "avgPx": "63999.0", "oid": oid, "cloid": f"0x{name}"}}


def error(words: str = FUNDS) -> dict[str, Any]:
    return {"error": f"{words}. asset=0"}


def told(*statuses: Any) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": "order", "data": {"statuses": list(statuses)}}}


def test_orders_of_two_coins_say_what_was_meant_under_one_signature(
    config: Config, venue: Replay
) -> None:
    venue.table[BATCH] = told(resting(ONE, 7), filled(TWO, 8))
    stamp = ago(1)
    (one,) = intents(ONE, stamped_at=stamp)
    (two,) = intents(TWO, instrument=ETH, side="buy", reduce_only=True, style="post_only",
                     stamped_at=stamp)  # fmt: skip
    assert sent(config, [one, two]) == [Ack(venue_id="7"), Ack(venue_id="8")]
    body = venue.body(BATCH)
    assert body["action"] == {"type": "order", "grouping": "na", "orders": [
        {"a": 0, "b": False, "p": "63999", "s": "0.012", "r": False,
         "t": {"limit": {"tif": "Ioc"}}, "c": f"0x{ONE}"},
        {"a": 1, "b": True, "p": "63999", "s": "0.012", "r": True,
         "t": {"limit": {"tif": "Alo"}}, "c": f"0x{TWO}"},
    ]}  # fmt: skip
    assert abs(body["expiresAfter"] / 1000 - stamp.timestamp() - 5) < 0.5
    (call,) = venue.asked(BATCH)
    assert READERS["hyperliquid"](call, RECORDED.login).signed


@pytest.mark.parametrize(
    ("statuses", "outcomes"),
    [
        ([error(LATE), filled(TWO), error()], [LATE, "ack", FUNDS]),
        ([error(), error(), error()], [FUNDS] * 3),
        ([resting(ONE), error("Order has zero size"), error()], ["ack", "unknown", FUNDS]),
        ([resting(TWO), resting(ONE), error()], ["ack", "ack", "unknown"]),
        ([resting(ONE), error()], ["ack", "unknown", "unknown"]),
        ([error(), error()], ["unknown"] * 3),
        ([resting(ONE), error(), error(), error()], ["ack", "unknown", "unknown"]),
        ([resting(ONE), resting(ONE, 9), error()], ["unknown"] * 3),
        ([{"resting": {"oid": 7}}, resting(TWO), error()], ["unknown", "ack", "unknown"]),
        ([resting(ONE), resting(TWO, None), error()], ["ack", "unknown", "unknown"]),
        ([resting(ONE), {**resting(TWO), **error()}, error()], ["ack", "unknown", "unknown"]),
        ([resting(ONE), "waitingForFill", error()], ["ack", "unknown", "unknown"]),
        ([resting("f" * 32), None, {}], ["unknown"] * 3),
        ([resting(ONE)], ["ack", "unknown", "unknown"]),
        ([], ["unknown"] * 3),
    ],
)
def test_an_order_is_told_by_its_cloid_or_its_place_in_a_whole_answer(
    config: Config, venue: Replay, statuses: list[Any], outcomes: list[str]
) -> None:
    venue.table[BATCH] = told(*statuses)
    assert codes(sent(config, intents(ONE, TWO, THREE))) == outcomes
    assert len(venue.asked(BATCH)) == 1


def test_an_error_of_an_action_of_one_order_is_that_order_s(config: Config, venue: Replay) -> None:
    venue.table[BATCH] = told(error())
    assert codes(sent(config, intents(ONE))) == [FUNDS]


def test_a_refusal_at_the_place_of_an_order_that_stands_is_not_told(
    config: Config, venue: Replay
) -> None:
    """What stands is found by its cloid, wherever its error came from."""

    def status(call: Call) -> Any:
        asked = json.loads(call.body)["oid"]
        if asked != f"0x{TWO}":
            return {"status": "unknownOid"}
        return hyperliquid.status("open", cloid=asked, tif="Alo")

    venue.table[BATCH] = told(error(), error())
    venue.table[f"{hyperliquid.INFO}#orderStatus"] = status
    assert sent(config, intents(ONE, TWO))[1] == Ack(venue_id="77738308")


@pytest.mark.parametrize("alone", [True, False], ids=["one status", "no statuses"])
def test_an_error_that_is_told_of_the_action_is_every_order_s_or_nobody_s(
    config: Config, venue: Replay, alone: bool
) -> None:
    answers = {
        words: told(error(words)) if alone else {"status": "err", "response": f"{words}. asset=0"}
        for words in sorted(FACTS.definitive | {"Order has zero size"})
    }
    found = answered(config, venue, BATCH, answers, intents(ONE, TWO))
    assert found.keys() == answers.keys()
    for words, outcomes in found.items():
        refusals = [Rejected(code=words, message=f"{words}. asset=0")] * 2
        assert outcomes == refusals if words in OF_ACTION else codes(outcomes) == ["unknown"] * 2
    assert {TICK} == OF_ACTION


@pytest.mark.parametrize(
    "answer",
    [{"status": "ok"}, {"status": "ok", "response": {"type": "order", "data": {}}}, [],
     {"status": "err", "response": "User or API Wallet 0x1 does not exist."},
     Reply({"status": "err", "response": f"{TICK}."}, 500), BROKEN],
)  # fmt: skip
def test_any_other_answer_leaves_every_order_unknown(
    config: Config, venue: Replay, answer: Any
) -> None:
    venue.table[BATCH] = answer
    assert codes(sent(config, intents(ONE, TWO))) == ["unknown"] * 2
    assert len(venue.asked(BATCH)) == 1


@pytest.mark.parametrize(
    "kind",
    ["delay", "drop_before", "drop_after", "truncate", "html", "http_500_after", "429", "418"],
)
def test_under_a_fault_every_order_is_typed_right_and_sent_once(
    config: Config, venue: Replay, emulator: Emulator, kind: str
) -> None:
    """What becomes of an unknown one, its look-up tells by its client id."""
    venue.table[BATCH] = told(resting(ONE, 7), resting(TWO, 8))
    orders = intents(ONE, TWO)
    path = BATCH.partition(" ")[2].partition("#")[0]
    emulator.fault({"kind": kind, "path": path, "method": "POST", "delay_s": 0.02})
    assert codes(sent(config, orders)) == ["ack" if kind == "delay" else "unknown"] * 2
    arrived = kind not in {"drop_before", "429", "418"}
    assert len(venue.asked(BATCH)) == arrived
    if arrived:
        venue.table[f"{hyperliquid.INFO}#orderStatus"] = lambda call: hyperliquid.status(
            "open", cloid=json.loads(call.body)["oid"]
        )
    for order in orders:
        finding = run_with(
            config, lambda opened, one=order: opened.venues["perps"].find(one, ago())
        )
        assert isinstance(finding, Found if arrived else AbsentNow)
    assert len(venue.asked(BATCH)) == arrived


@pytest.mark.parametrize(
    ("orders", "account"),
    [
        (intents(*(f"{number:032x}" for number in range(MOST_ORDERS + 1))), "perps"),
        (intents(ONE, TWO), "spot"),
    ],
    ids=["twenty-one", "spot"],
)
def test_what_one_action_does_not_carry_does_not_leave(
    config: Config, venue: Replay, orders: list[OrderIntent], account: str
) -> None:
    assert set(codes(sent(config, orders, account))) == {"NOT_SENT"}
    assert venue.asked(BATCH) == []
