"""Several orders in one request: how they are sent, and each outcome in a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from allocator.adapters.ccxt.base import CcxtVenue
from allocator.adapters.registry import Opened
from allocator.models.config import Config
from allocator.models.intents import OrderIntent, Outcome
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.replay import Replay


async def _together(
    opened: Opened, orders: Sequence[OrderIntent], account: str | None
) -> list[Outcome]:
    venue = opened.venues[account or orders[0].account]
    assert isinstance(venue, CcxtVenue)
    return list(await venue.submit_together(orders))


def sent(
    config: Config, orders: Sequence[OrderIntent], account: str | None = None
) -> list[Outcome]:
    """Send orders in one request, from the account of the first unless another is named."""
    return list(run_with(config, lambda opened: _together(opened, orders, account)))


def answered(
    config: Config,
    venue: Replay,
    row: str,
    answers: Mapping[str, Any],
    orders: Sequence[OrderIntent],
) -> dict[str, list[Outcome]]:
    """Send orders again for each of a request's answers, in one session; what came, by answer."""

    async def work(opened: Opened) -> dict[str, list[Outcome]]:
        found = dict[str, list[Outcome]]()
        for name, answer in answers.items():
            venue.table[row] = answer
            found[name] = await _together(opened, orders, None)
        return found

    return dict(run_with(config, work))


def codes(outcomes: Sequence[Outcome]) -> list[str]:
    """Tell each outcome in a word, a refusal by its code."""
    return [getattr(row, "code", row.outcome) for row in outcomes]
