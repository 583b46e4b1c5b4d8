"""What a capability table denies, attempted all the same."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import (
    Capabilities,
    MoveIntent,
    OrderIntent,
    Outcome,
    TransferIntent,
)
from tests.adapters.ccxt.conftest import run_with

ONE = "0123456789abcdef0123456789abcdef"
FLAGS = ("orders", "transfers", "withdrawals", "moves", "sees_deposits", "transfer_key")
SWITCHES = {"batch_orders": 1, "dead_man_s": None}
"""Values by which the table says that there is none of it."""


@dataclass(frozen=True)
class Attempt:
    """An account by an order of its own, and another to which it would send an asset."""

    order: OrderIntent
    other: str
    asset: str

    @property
    def way(self) -> dict[str, Any]:
        return {"from": self.order.account, "to": self.other}

    def transfer(self, route: str) -> TransferIntent:
        return TransferIntent(client_id=ONE, route=route, source=self.order.account,
                              target=self.other, asset=self.asset, amount=Decimal(1))  # fmt: skip

    def move(self) -> MoveIntent:
        order = self.order
        return MoveIntent(client_id=ONE, source=order.account, target=self.other, side="sell",
                          instrument=order.instrument, quantity=order.quantity,
                          price=order.limit_price)  # fmt: skip


async def _together(venue: Any, attempt: Attempt) -> list[Outcome]:
    other = attempt.order.model_copy(update={"client_id": "f" * 32})
    return list(await venue.submit_together([attempt.order, other]))


async def _switch(venue: Any, attempt: Attempt) -> list[Outcome]:
    del attempt
    return [await venue.cancel_after(60)]


async def _withdraw(venue: Any, attempt: Attempt) -> list[Outcome]:
    return [await venue.submit(attempt.transfer("out"))]


async def _transfer(venue: Any, attempt: Attempt) -> list[Outcome]:
    return [await venue.submit(attempt.transfer("r"))]


async def _move(venue: Any, attempt: Attempt) -> list[Outcome]:
    return [await venue.submit(attempt.move())]


ATTEMPTS: Mapping[str, Callable[[Any, Attempt], Awaitable[list[Outcome]]]] = {
    "withdrawals": _withdraw,
    "transfers": _transfer,
    "moves": _move,
    "batch_orders": _together,
    "dead_man_s": _switch,
}
"""What sends all the same what the table says cannot be done."""

NAMED = {
    "withdrawals": "route out: nothing is withdrawn from here",
    "moves": "no position is moved from here",
}


def unable(told: Capabilities) -> frozenset[str]:
    """List what a capability table says cannot be done."""
    no = {name for name in FLAGS if not getattr(told, name)}
    return frozenset(no | {name for name, none in SWITCHES.items() if getattr(told, name) == none})


def refused_and_named(
    config: Config, attempt: Attempt, requests: Callable[[], int]
) -> frozenset[str]:
    """Configure, then send, what the account's table denies; tell what that is.

    A withdrawal or a move has to be off and named in the gather; whatever is sent has to be
    refused without a request.
    """
    mine = attempt.order.account
    chain = {"asset": attempt.asset, "kind": "onchain", "latency_s": 600}
    ways = {
        "routes": [
            {**attempt.way, "id": "out", **chain},
            {"from": attempt.other, "to": mine, "id": "in", **chain},
        ],
        "addresses": {
            name: {"network": "USDT-TRC20", "address": "registered"} for name in ("out", "in")
        },
        "moves": [{**attempt.way, "instrument": attempt.order.instrument}],
    }  # fmt: skip
    whole = Config.model_validate(config.model_dump(by_alias=True) | ways)

    async def work(opened: Opened) -> tuple[Any, frozenset[str], list[Outcome]]:
        book, venue = await opened.market.gather(), opened.venues[mine]
        told, before = unable(venue.capabilities), requests()
        outcomes = [
            out for name in sorted(told & ATTEMPTS.keys())
            for out in await ATTEMPTS[name](venue, attempt)
        ]  # fmt: skip
        assert requests() == before
        return book, told, outcomes

    book, told, outcomes = run_with(whole, work)
    assert {getattr(row, "code", "") for row in outcomes} == {"NOT_SENT"}
    named = [row.what for row in book.missing if row.account == mine]
    for what, words in NAMED.items():
        assert any(words in row for row in named) == (what in told)
    routes = {row.id: row.enabled for row in book.snapshot.routes}
    assert "withdrawals" not in told or not routes.get("out")
    assert "moves" not in told or book.snapshot.moves == ()
    assert "transfers" not in told or not any(routes.values())
    assert "sees_deposits" not in told or not routes.get("in")
    return told
