"""How long to keep still after an answer, and who: one user, or everybody at the address."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Protocol

from allocator.adapters.ccxt.failures import Answer, NotSentError, venue_code

DEFAULT_PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0
PAUSE_STATUS = frozenset({403, 418, 429})
BANNED = 418
BANS: Mapping[str, Mapping[int, float]] = {"bybit": {403: 1800.0}}
"""Statuses by which a venue bans an address beside 418, and how many seconds where it does not say.

Bybit's lasts half an hour as a rule (https://bybit-exchange.github.io/docs/v5/rate-limit)."""

LEAST_BAN_S, LONGEST_BAN_S = 120.0, 3 * 86_400.0
"""Binance bans an address for two minutes to three days, and longer if it goes on asking."""

USER_CODES: Mapping[str, frozenset[str]] = {
    "bitget": frozenset({"429"}),
    "bybit": frozenset({"10006"}),
    "deribit": frozenset({"10028"}),
    "gate": frozenset({"TOO_MANY_REQUESTS", "TOO_FAST"}),
    "kucoinfutures": frozenset({"200002", "429000"}),
    "okx": frozenset({"50011", "50061", "58102"}),
}
"""Too many requests of one user, by venue: the others may go on."""

ADDRESS_CODES: Mapping[str, frozenset[str]] = {
    "bybit": frozenset({"10018"}),
    "binance": frozenset({"-1003"}),
    "krakenfutures": frozenset({"apiLimitExceeded"}),
}
"""Too many requests of one address, by venue: nobody may go on."""


class Holder(Protocol):
    """Who keeps still until a time of the process's own clock."""

    paused_until: float


def hold(holder: Holder, pause_s: float) -> None:
    """Have somebody keep still for so many seconds from now; a longer pause goes on."""
    holder.paused_until = max(holder.paused_until, time.monotonic() + pause_s)


def check_free(venue: str, *holders: Holder) -> None:
    """Let a request go on unless somebody keeps still.

    Raises
    ------
    NotSentError
        When one does.
    """
    wait_s = max(holder.paused_until for holder in holders) - time.monotonic()
    if wait_s > 0:
        raise NotSentError(f"{venue} asked for a pause of {wait_s:.1f} s more")


def pause_of(venue: str, answer: Answer) -> tuple[float, bool] | None:
    """Read how many seconds to keep still, and whether one user alone; None: no need to.

    An answer that names no time is taken for two seconds, or for the shortest ban if it is one.
    """
    banned = bans(venue, answer)
    found = venue_code(answer.body)
    by_user = found is not None and found[0] in USER_CODES.get(venue, ())
    by_address = found is not None and found[0] in ADDRESS_CODES.get(venue, ())
    if answer.status not in PAUSE_STATUS and not by_user and not by_address:
        return None
    default_s = BANS.get(venue, {}).get(answer.status, LEAST_BAN_S if banned else DEFAULT_PAUSE_S)
    told_s = _retry_after(answer)
    longest_s = LONGEST_BAN_S if banned else LONGEST_PAUSE_S
    return min(default_s if told_s is None else told_s, longest_s), by_user and not banned


def _retry_after(answer: Answer) -> float | None:
    """Read the header that tells how many seconds to wait; None: it tells none."""
    told = (value for name, value in answer.headers.items() if name.lower() == "retry-after")
    try:
        seconds = float(next(told, "nan"))
    except ValueError:
        return None
    return None if math.isnan(seconds) else seconds


def bans(venue: str, answer: Answer) -> bool:
    """Tell whether an answer bans the address from everything at a venue."""
    return answer.status == BANNED or answer.status in BANS.get(venue, ())
