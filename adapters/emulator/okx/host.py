"""Where OKX is meant to be, how a row of its table is written, and what a call is counted against.

Source: the venue's page, overview "Rate Limits", and the limit named beside each endpoint.
"""

import functools
from dataclasses import dataclass

from allocator.adapters.emulator.wire import Endpoint, Handler

HOST = "www.okx.com"
PUBLIC = "public"
READ, TRADE, WITHDRAW = "read_only", "trade", "withdraw"
IP, USER = "ip", "user"
INSTRUMENT, CURRENCY, KIND = "instId", "ccy", "instType"


@dataclass(frozen=True, slots=True)
class Budget:
    """So many calls in so many milliseconds: by address or user, and by a parameter if one counts.

    `needs` is the right a key must have.
    """

    count: int
    window_ms: int
    who: str
    by: str
    needs: str


def row(
    route: str, handler: Handler, page: str, *cases: str, limit: str, needs: str = READ
) -> Endpoint:
    """Return one row.

    `limit` reads ``60/2s user instId``: a count, seconds, whose it is, and by which parameter.
    """
    method, path = route.split()
    return Endpoint(
        HOST,
        method,
        f"/api/v5/{path}",
        "public" if needs == PUBLIC else "signed",
        handler,
        ("ok", *cases),
        page,
        int(limit.partition("/")[0]),
        f"{limit}|{needs}",
    )


@functools.cache
def budget_of(text: str) -> Budget:
    """Read what `row` wrote."""
    limit, _, needs = text.partition("|")
    rate, who, *rest = limit.split()
    count, _, seconds = rate.removesuffix("s").partition("/")
    return Budget(int(count), int(seconds) * 1000, who, rest[0] if rest else "", needs)
