"""Requests that went to an operator, held against what the loopback exchange says of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from allocator.adapters.registry import open_venues
from allocator.execution.attempts import Attempt
from allocator.execution.database import connect
from allocator.execution.entries import Place
from allocator.execution.history import History
from allocator.execution.journal import Journal
from allocator.execution.leader import next_epoch
from allocator.execution.schema import upgrade
from allocator.execution.transitions import Stage, State
from allocator.models.intents import Ack, Intent, OrderIntent, TransferIntent, Unknown
from allocator.models.snapshot import Snapshot
from allocator.service import venue_word
from allocator.service.binding import bind
from allocator.service.bootstrap import open_market, read_config
from allocator.service.clock import SystemClock
from tests.execution.book import MANDATE, JumpingClock, plan
from tests.service.cli.shop import Shop, flat

MARKET = "bybit:BTC/USDT:USDT"
CLIENT_ID = "5" * 32
UNREACHED = "not reached: NO_SECRET: login bybit-a: no secret can be read"
SAID = ("--as", "ann", "--evidence", "order page")


@dataclass
class Waiting:
    """A desk with one request of it that waits for somebody."""

    shop: Shop
    engine: Engine
    snapshot: Snapshot

    def hand_over(self, intent: Intent, *, ago_s: float = 600, outcome: Any = None) -> None:
        """Write a request down that nobody could say of."""
        made = plan(_action(intent), at=self.snapshot)
        clock = JumpingClock(datetime.now(UTC) - timedelta(seconds=ago_s))
        lease = next_epoch(self.engine, "demo", "t", clock.now())
        journal = Journal(self.engine, lease, clock)
        cycle = journal.open_cycle("demo", "by hand")
        assert cycle is not None
        journal.record_plan(cycle, made, self.snapshot, MANDATE, proposer="engine")
        journal.set_stage(made.plan_hash, [1], Stage.CHECKED)
        journal.intend(Place(made.plan_hash, 1, 1, 1), intent, Decimal(5))
        journal.outcome(intent.client_id, outcome or Unknown(why="no answer"))
        journal.hand_over(intent.client_id, "nobody could say in time")

    def send(self, intent: Intent) -> Ack:
        """Have the exchange take it."""
        config = read_config(self.shop.path)

        async def submit() -> Ack:
            opened = open_venues(config, SystemClock())
            try:
                sender = intent.account if isinstance(intent, OrderIntent) else intent.source
                outcome = await opened.venues[sender].submit(intent)
            finally:
                await opened.close()
            assert isinstance(outcome, Ack), outcome
            return outcome

        return asyncio.run(submit())

    def resolve(self, *words: str) -> tuple[int, str]:
        status, told = self.shop.type("resolve", CLIENT_ID, *words)
        return status, flat(told)

    def now(self) -> Attempt:
        found = History(self.engine).attempt(CLIENT_ID)
        assert found is not None
        return found

    def audited(self) -> str:
        """Tell what the audit says of its end."""
        return str(History(self.engine).events(f"attempt:{CLIENT_ID}")[-1].facts)


def _action(intent: Intent) -> dict[str, Any]:
    if isinstance(intent, TransferIntent):
        row = {"kind": "transfer", "route": intent.route, "from": intent.source}
        row |= {"to": intent.target, "asset": intent.asset, "amount": str(intent.amount)}
    else:
        assert isinstance(intent, OrderIntent)
        row = {"kind": "order", "account": intent.account, "instrument": intent.instrument}
        row |= {"side": intent.side, "quantity": str(intent.quantity)}
        row |= {"limit_price": str(intent.limit_price)}
    return {"seq": 1, **row}


@pytest.fixture
def waiting(shop: Shop) -> Iterator[Waiting]:
    config = read_config(shop.path)

    async def gathered() -> Snapshot:
        async with open_market(config) as market:
            return (await market.gather()).snapshot

    snapshot = asyncio.run(gathered())
    engine = connect(config.database)
    upgrade(engine)
    bind(engine, config.installation, datetime.now(UTC))
    yield Waiting(shop, engine, snapshot)
    engine.dispose()


def bought(waiting: Waiting, factor: str = "1.01", **over: Any) -> OrderIntent:
    """Buy a hundredth: at once by default, never at a price far below."""
    row = waiting.snapshot.instrument[MARKET]
    assert row.ask is not None
    price = (row.ask * Decimal(factor)).quantize(Decimal(1))
    told: dict[str, Any] = {
        "client_id": CLIENT_ID,
        "account": "bybit-a",
        "instrument": MARKET,
        "side": "buy",
        "quantity": "0.01",
        "limit_price": price,
    }
    return OrderIntent.model_validate(told | over)


def sent(route: str, source: str, target: str) -> TransferIntent:
    told = {"client_id": CLIENT_ID, "asset": "USDT", "amount": "100"}
    ends = {"route": route, "source": source, "target": target}
    return TransferIntent.model_validate(told | ends)


def taken(waiting: Waiting, intent: Intent) -> None:
    waiting.send(intent)
    waiting.hand_over(intent)


def test_without_an_end_it_tells_what_the_venue_says_and_changes_nothing(waiting: Waiting) -> None:
    taken(waiting, bought(waiting))
    before, sent = History(waiting.engine).head(), waiting.shop.sent()
    status, told = waiting.resolve()
    assert status == 0, told
    assert "order of bybit-a for 0.01; on record: manual, 0 filled" in told
    assert "its venue says: filled, 0.01 at " in told
    assert "fees USDT=" in told
    assert "nothing was changed" in told
    assert (History(waiting.engine).head(), waiting.shop.sent()) == (before, sent)


@pytest.mark.parametrize("words", [("not_executed",), ("cancelled", "--filled", "0.004")])
def test_a_word_that_differs_from_the_venues_is_refused(
    waiting: Waiting, words: tuple[str, ...]
) -> None:
    taken(waiting, bought(waiting))
    status, told = waiting.resolve("--to", *words, *SAID)
    assert status == 6, told
    figure = words[-1] if len(words) > 1 else "0"
    assert f"VENUE_DIFFERS: client_id={CLIENT_ID} told={words[0]}, {figure}; " in told
    assert "its venue says: filled, 0.01 at " in told
    assert waiting.now().state is State.MANUAL
    assert History(waiting.engine).frozen().keys() == {"bybit-a"}


def test_a_word_against_the_venue_is_taken_on_demand_and_stands_in_the_audit(
    waiting: Waiting,
) -> None:
    taken(waiting, bought(waiting))
    status, told = waiting.resolve("--to", "not_executed", "--against-venue", *SAID)
    assert status == 0, told
    assert waiting.now().state is State.NOT_EXECUTED
    against = "ann: order page; against its venue, which says: filled, 0.01 at "
    assert against in waiting.now().reason
    assert against in waiting.audited()


def test_a_word_that_agrees_with_the_venue_ends_it(waiting: Waiting) -> None:
    taken(waiting, bought(waiting))
    status, told = waiting.resolve("--to", "filled", "--filled", "0.01", *SAID)
    assert status == 0, told
    assert waiting.now().state is State.FILLED
    assert waiting.now().reason.startswith("ann: order page; its venue says: filled, 0.01 at ")
    assert History(waiting.engine).frozen() == {}


@pytest.mark.parametrize("retyped", ["neither", "price", "fee"])
def test_what_the_venue_tells_and_nobody_retypes_is_on_record_as_the_venues(
    waiting: Waiting, retyped: str
) -> None:
    """Its shortfall would be zero otherwise, and what its account should hold a guess."""
    taken(waiting, bought(waiting))
    found = re.search(r"filled, 0.01 at ([0-9.]+), fees USDT=([0-9.]+)", waiting.resolve()[1])
    assert found is not None
    price, fee = map(Decimal, found.groups())
    words = {"neither": (), "price": ("--price", str(price)), "fee": ("--fee", f"USDT={fee}")}
    status, told = waiting.resolve("--to", "filled", "--filled", "0.01", *words[retyped], *SAID)
    assert (status, f"filled, 0.01 at {price}" in told) == (0, True), told
    ended = waiting.now()
    assert (ended.average_price, ended.fees) == (price, {"USDT": fee})
    own = {"neither": "price, fees", "price": "fees", "fee": "price"}[retyped]
    assert waiting.audited().count(f"; its venue's own: {own}") == 1
    assert History(waiting.engine).verify() == ()


@pytest.mark.parametrize("end", ["cancelled", "expired", "not_executed"])
def test_an_order_that_ended_unfilled_has_many_names(waiting: Waiting, end: str) -> None:
    taken(waiting, bought(waiting, "0.9"))
    assert "its venue says: cancelled, 0" in waiting.resolve()[1]
    status, told = waiting.resolve("--to", end, *SAID)
    assert status == 0, told


def test_fills_of_an_order_that_the_venue_does_not_have_are_refused(waiting: Waiting) -> None:
    waiting.hand_over(bought(waiting))
    assert "its venue says: absent at " in waiting.resolve()[1]
    status, told = waiting.resolve("--to", "filled", "--filled", "0.01", *SAID)
    assert (status, "VENUE_DIFFERS" in told) == (6, True), told
    assert waiting.resolve("--to", "not_executed", *SAID)[0] == 0


@pytest.mark.parametrize(
    ("ago_s", "outcome", "why"),
    [
        (2, None, "it may still show"),
        (90_000, None, "it may have forgotten it"),
        (600, Ack(venue_id="77"), "it took it as 77 and no longer shows it"),
    ],
)
def test_an_absence_that_proves_nothing_is_told_and_refuses_nothing(
    waiting: Waiting, ago_s: float, outcome: Ack | None, why: str
) -> None:
    waiting.hand_over(bought(waiting), ago_s=ago_s, outcome=outcome)
    status, told = waiting.resolve()
    assert (status, "its venue says: unsure: absent at " in told, why in told) == (5, True, True)
    status, told = waiting.resolve("--to", "filled", "--filled", "0.01", *SAID)
    assert (status, why in told) == (0, True), told
    assert why in waiting.audited()


@pytest.mark.parametrize("words", [(), ("--against-venue",)])
def test_an_order_that_is_open_has_to_be_cancelled_at_the_venue_first(
    waiting: Waiting, words: tuple[str, ...]
) -> None:
    taken(waiting, bought(waiting, "0.9", style="post_only"))
    assert "its venue says: open, 0" in waiting.resolve()[1]
    status, told = waiting.resolve("--to", "cancelled", *words, *SAID)
    assert (status, "ORDER_OPEN" in told, "cancel it there first" in told) == (6, True, True), told
    assert waiting.now().state is State.MANUAL


def test_a_venue_that_does_not_answer_in_time_is_told_and_holds_nothing_up(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(waiting, bought(waiting))
    monkeypatch.setattr(venue_word, "LOOK_S", 0.3)
    waiting.shop.emulator.fault({"kind": "delay", "times": 1000, "delay_s": 5.0})
    status, told = waiting.resolve()
    assert (status, "not reached: no answer in 0.3 s" in told) == (5, True), told
    status, told = waiting.resolve("--to", "not_executed", *SAID)
    assert (status, "not reached: no answer in 0.3 s" in told) == (0, True), told
    assert "; not held against its venue: not reached: no answer in" in waiting.now().reason


def test_a_venue_that_breaks_off_is_unsure(waiting: Waiting) -> None:
    taken(waiting, bought(waiting))
    waiting.shop.emulator.fault({"kind": "html", "path": "/v5/order/", "times": 1000})
    status, told = waiting.resolve()
    assert (status, "its venue says: unsure: " in told) == (5, True), told
    assert waiting.resolve("--to", "filled", "--filled", "0.01", *SAID)[0] == 0


def test_a_secret_that_is_not_there_keeps_nobody_from_ending_a_request(waiting: Waiting) -> None:
    waiting.hand_over(bought(waiting))
    (key,) = unread(waiting, "bybit-a")
    status, told = waiting.resolve("--to", "not_executed", *SAID)
    assert (status, f"{UNREACHED} at {key}" in told) == (0, True), told


def unread(waiting: Waiting, *accounts: str) -> list[str]:
    """Take the keys of accounts away; tell where they stood."""
    config = read_config(waiting.shop.path)
    rows = [row for row in config.accounts if row.id in accounts]
    keys = list(dict.fromkeys(config.logins[row.login].key for row in rows))
    for key in keys:
        Path(key.removeprefix("file:")).unlink()
    return keys


def test_an_order_is_looked_up_by_the_login_of_its_account_alone(waiting: Waiting) -> None:
    taken(waiting, bought(waiting))
    config = read_config(waiting.shop.path)
    mine = next(config.logins[row.login] for row in config.accounts if row.id == "bybit-a")
    others = [row.id for row in config.accounts
              if config.logins[row.login] != mine and row.login != mine.master]  # fmt: skip
    assert len(unread(waiting, *others)) > 1
    status, told = waiting.resolve()
    assert (status, "its venue says: filled, 0.01 at " in told) == (0, True), told


def test_money_is_looked_up_by_the_logins_of_both_its_ends(waiting: Waiting) -> None:
    intent = sent("internal:bybit-main>bybit-a:USDT", "bybit-main", "bybit-a")
    taken(waiting, intent)
    unread(waiting, "binance-sub1", "binance-spot")
    assert "its venue says: settled, 100" in waiting.resolve()[1]
    unread(waiting, "bybit-a")
    assert UNREACHED in waiting.resolve()[1]


@pytest.mark.parametrize("against", [True, False])
@pytest.mark.parametrize("what", ["--price", "--fee"])
def test_a_price_or_a_fee_that_differs_from_the_venues_is_refused(
    waiting: Waiting, what: str, *, against: bool
) -> None:
    """A mistyped one would be in shortfall and in what the account should hold."""
    taken(waiting, bought(waiting))
    found = re.search(r"filled, 0.01 at ([0-9.]+), fees USDT=([0-9.]+)", waiting.resolve()[1])
    assert found is not None
    price, fee = map(Decimal, found.groups())
    end = ("--to", "filled", "--filled", "0.01", *SAID)
    off = ("--price", str(price - 1)) if what == "--price" else ("--fee", f"USDT={fee + 1}")
    figure = f" at {price - 1}" if what == "--price" else f", fees USDT={fee + 1}"
    status, told = waiting.resolve(*end, *off)
    assert status == 6, told
    assert f"VENUE_DIFFERS: client_id={CLIENT_ID} told=filled, 0.01{figure}; its venue" in told
    assert waiting.now().state is State.MANUAL
    if against:
        status, told = waiting.resolve(*end, *off, "--against-venue")
        assert "against its venue, which says: filled, 0.01 at " in waiting.audited()
    else:
        shown = round(fee, 2)
        assert shown != fee
        same = ("--price", f"{price:f}" if price % 1 else f"{price}.0", "--fee", f"USDT={shown}")
        status, told = waiting.resolve(*end, *same)
        assert "order page; its venue says: filled, 0.01 at " in waiting.audited()
        assert waiting.now().fees == {"USDT": fee}, "the venue's own, not as it was read"
    assert status == 0, told


def test_money_is_looked_up_as_well(waiting: Waiting) -> None:
    intent = sent("internal:bybit-main>bybit-a:USDT", "bybit-main", "bybit-a")
    taken(waiting, intent)
    assert "its venue says: settled, 100" in waiting.resolve()[1]
    status, told = waiting.resolve("--to", "returned", *SAID)
    assert (status, "VENUE_DIFFERS" in told) == (6, True), told
    status, told = waiting.resolve("--to", "settled", "--filled", "100", *SAID)
    assert status == 0, told


def test_what_only_looks_like_it_binds_nobody_until_it_has_a_name(waiting: Waiting) -> None:
    """The venue shows no key of a withdrawal: an equal one of somebody else looks the same."""
    intent = sent("bybit-to-binance", "bybit-fund", "binance-spot")
    name = waiting.send(intent).venue_id
    waiting.hand_over(intent)
    status, told = waiting.resolve()
    assert status == 5, told
    # It arrives within seconds, by the machine's clock: either word is right.
    assert re.search(rf"unsure: {name} \((in_transit|settled)\) looks like it", told), told
    assert waiting.resolve("--to", "returned", *SAID)[0] == 0


def test_money_that_was_sent_has_not_come_back(waiting: Waiting) -> None:
    intent = sent("bybit-to-binance", "bybit-fund", "binance-spot")
    waiting.hand_over(intent, outcome=waiting.send(intent))
    status, told = waiting.resolve("--to", "returned", *SAID)
    assert (status, "VENUE_DIFFERS" in told) == (6, True), told
    assert re.search(r"its venue says: (in_transit, 0|settled, 100)", told), told
    assert waiting.now().state is State.MANUAL


def test_a_mode_in_which_nothing_can_be_sent_looks_up_all_the_same(waiting: Waiting) -> None:
    taken(waiting, bought(waiting))
    waiting.shop.set(mode="dry")
    assert "its venue says: filled, 0.01 at " in waiting.resolve()[1]


def test_what_cannot_be_is_refused_before_the_venue_is_asked(waiting: Waiting) -> None:
    waiting.hand_over(bought(waiting))
    log: Any = waiting.shop.emulator.admin("GET", "requests")
    for words, code in (
        (("--to", "settled", "--filled", "0.01", *SAID), "END_DIFFERS: an order does not settle"),
        (("--to", "not_executed", "--as", "ann"), "NO_EVIDENCE"),
    ):
        status, told = waiting.resolve(*words)
        assert (status, code in told) == (6, True), told
    assert waiting.resolve("--against-venue")[0] == 2
    assert waiting.shop.emulator.admin("GET", "requests") == log


def test_what_has_ended_is_refused(waiting: Waiting) -> None:
    waiting.hand_over(bought(waiting))
    assert waiting.resolve("--to", "not_executed", *SAID)[0] == 0
    for words in ((), ("--to", "not_executed", *SAID)):
        status, told = waiting.resolve(*words)
        assert (status, "NOT_MANUAL" in told, "not_executed" in told) == (6, True, True), told
