"""Request weights and order counts, with the headers that report them.

Pages: Limits (spot, USD-M, COIN-M), Place Multiple Orders (USD-M), General Info (wallet), and
Important Notice: COIN-M / USD-M Architecture Integration (A.3: one pool for both; C.8: weights).
Weights count by IP and pool, orders by account and pool, `uid` budgets of the wallet by account.
Twice over a limit bans the IP: 418.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from allocator.adapters.emulator.binance.words import API, DAPI, FAPI
from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.ratelimit import Limiter, Usage
from allocator.adapters.emulator.wire import Call, Endpoint

MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000


@dataclass(frozen=True, slots=True)
class HostLimits:
    """Weight in a minute by IP; orders in ten seconds and in a minute by account.

    Hosts of one pool count together.
    """

    pool: str
    weight: int
    orders_10s: int
    orders_1m: int


LIMITS = {
    API: HostLimits("spot", 6000, 100, 600),
    FAPI: HostLimits("futures", 2400, 300, 1200),
    DAPI: HostLimits("futures", 2400, 300, 1200),
}
EVERY_SYMBOL = {
    "/fapi/v1/openOrders": 40,
    "/dapi/v1/openOrders": 40,
    "/api/v3/openOrders": 80,
    "/fapi/v1/openAlgoOrders": 40,
    "/dapi/v1/openAlgoOrders": 40,
    "/dapi/v2/leverageBracket": 2,
}
"""Weight where no symbol is named (Current All Open Orders and Current All Algo Open Orders, of
each service; Notional Bracket for Symbol)."""

ORDER_COUNTS = {"/fapi/v1/batchOrders": (5, 1), "/dapi/v1/batchOrders": (5, 5)}
"""Orders in ten seconds and in a minute that one request counts as, where that is not one.

Place Multiple Orders (USD-M) tells both; COIN-M's page tells the weight alone, and the most that a
request may hold is counted.
"""

WALLET_IP = 12_000
WALLET_UID = 180_000


def count(call: Call, endpoint: Endpoint, limiter: Limiter, account: str) -> Mapping[str, str]:
    """Count a call and return the headers that report the usage.

    Raises
    ------
    VenueError
        -1003 with HTTP 429 (418 far over) for weight, -1015 for orders.
    """
    if endpoint.path.startswith("/sapi/"):
        return _wallet(call, endpoint, limiter, account)
    limits = LIMITS[call.host]
    name = f"binance|{limits.pool}|{call.remote}"
    weight = endpoint.weight
    if "symbol" not in call.params:
        weight = EVERY_SYMBOL.get(endpoint.path, weight)
    used = limiter.take(f"{name}|weight", weight, limits.weight, MINUTE_MS, call.now_ms)
    _check(used, call)
    headers = {"x-mbx-used-weight-1m": str(used.used)}
    if endpoint.budget == "orders":
        counts = ORDER_COUNTS.get(endpoint.path, (1, 1))
        headers |= _orders(call, limiter, limits, account, counts)
    return headers


def _wallet(call: Call, endpoint: Endpoint, limiter: Limiter, account: str) -> Mapping[str, str]:
    by_uid = endpoint.budget == "uid"
    limit = WALLET_UID if by_uid else WALLET_IP
    who = account if by_uid else call.remote
    name = f"binance|sapi|{endpoint.path}|{who}"
    used = limiter.take(name, endpoint.weight, limit, MINUTE_MS, call.now_ms)
    _check(used, call)
    return {f"x-sapi-used-{'uid' if by_uid else 'ip'}-weight-1m": str(used.used)}


def _orders(
    call: Call, limiter: Limiter, limits: HostLimits, account: str, counts: tuple[int, int]
) -> dict[str, str]:
    headers: dict[str, str] = {}
    for word, window_ms, limit, count in (
        ("10s", TEN_SECONDS_MS, limits.orders_10s, counts[0]),
        ("1m", MINUTE_MS, limits.orders_1m, counts[1]),
    ):
        name = f"binance|{limits.pool}|{account}|{word}"
        used = limiter.take(name, count, limit, window_ms, call.now_ms)
        if used.exceeded:
            raise VenueError(
                -1015,
                f"Too many new orders; current limit is {used.limit} orders per "
                f"{'10 SECOND' if word == '10s' else '1 MINUTE'}.",
                status=429,
                headers=_retry(used, call),
            )
        headers[f"x-mbx-order-count-{word}"] = str(used.used)
    return headers


def _check(used: Usage, call: Call) -> None:
    if not used.exceeded:
        return
    banned = used.used > 2 * used.limit
    words = (
        f"Way too many requests; IP({call.remote}) banned until {used.resets_ms}."
        if banned
        else f"Too many requests; current limit of IP({call.remote}) is {used.limit} requests per "
        "minute."
    )
    raise VenueError(
        -1003,
        f"{words} Please use the websocket for live updates to avoid polling the API.",
        status=418 if banned else 429,
        headers={"x-mbx-used-weight-1m": str(used.used), **_retry(used, call)},
    )


def _retry(used: Usage, call: Call) -> dict[str, str]:
    return {"Retry-After": str(max(1, (used.resets_ms - call.now_ms + 999) // 1000))}
