"""How long to keep still after an answer, and who: one user, or everybody at the address."""

from __future__ import annotations

from collections.abc import Mapping

from allocator.adapters.ccxt.failures import Answer, venue_code

DEFAULT_PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0
PAUSE_STATUS = frozenset({403, 418, 429})
BANNED = 418
BANS: Mapping[str, Mapping[int, float]] = {"bybit": {403: 1800.0}}
"""Statuses by which a venue bans an address beside 418, and how many seconds where it does not say.

Bybit's lasts half an hour as a rule (https://bybit-exchange.github.io/docs/v5/rate-limit)."""

LONGEST_BAN_S = 3 * 86_400.0
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


def pause_of(venue: str, answer: Answer) -> tuple[float, bool] | None:
    """Read how many seconds to keep still, and whether one user alone; None: no need to.

    An answer that names no time is taken for two seconds, unless it is a ban.
    """
    banned = bans(venue, answer)
    default_s = BANS.get(venue, {}).get(answer.status, DEFAULT_PAUSE_S)
    found = venue_code(answer.body)
    by_user = found is not None and found[0] in USER_CODES.get(venue, ())
    by_address = found is not None and found[0] in ADDRESS_CODES.get(venue, ())
    if answer.status not in PAUSE_STATUS and not by_user and not by_address:
        return None
    try:
        pause_s = float(answer.headers.get("Retry-After", default_s))
    except ValueError:
        pause_s = default_s
    longest_s = LONGEST_BAN_S if banned else LONGEST_PAUSE_S
    return min(pause_s, longest_s), by_user and not banned


def bans(venue: str, answer: Answer) -> bool:
    """Tell whether an answer bans the address from everything at a venue."""
    return answer.status == BANNED or answer.status in BANS.get(venue, ())
