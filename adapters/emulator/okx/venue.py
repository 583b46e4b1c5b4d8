"""OKX as a venue of the core: envelope, signatures, deadlines, limits, refusals.

Sources: the venue's pages overview (REST authentication, transaction timeouts, rate limits) and
error codes (API class).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from allocator.adapters.emulator.errors import Refused, VenueError
from allocator.adapters.emulator.exchange import Exchange, Intent
from allocator.adapters.emulator.market import Instrument
from allocator.adapters.emulator.okx import margin
from allocator.adapters.emulator.okx.host import HOST, IP, READ, Budget, budget_of
from allocator.adapters.emulator.okx.refusals import code_of
from allocator.adapters.emulator.okx.routes import ENDPOINTS
from allocator.adapters.emulator.okx.words import actions
from allocator.adapters.emulator.records import ApiKey
from allocator.adapters.emulator.wire import Call, Endpoint, Json, Reply

WINDOW_MS = 30_000
HEADERS = {
    "OK-ACCESS-KEY": 50103,
    "OK-ACCESS-PASSPHRASE": 50104,
    "OK-ACCESS-SIGN": 50106,
    "OK-ACCESS-TIMESTAMP": 50107,
}
PLACING = frozenset({"/api/v5/trade/order", "/api/v5/trade/batch-orders"})
BATCHED = frozenset({"/api/v5/trade/batch-orders", "/api/v5/trade/cancel-batch-orders"})
MEMBER_LIMIT, MEMBER_WINDOW_MS = 1000, 2000
TOO_MANY = (
    "Rate limit reached. Please refer to API documentation and throttle requests accordingly."
)


class Okx:
    """One host, one envelope {code, msg, data}: every number a string, what is absent empty."""

    name = "okx"
    hosts: tuple[str, ...] = (HOST,)
    endpoints: Sequence[Endpoint] = ENDPOINTS

    def wallet(self, instrument: Instrument) -> str:
        """Return the trading account: it margins everything and holds what spot trades."""
        del instrument
        return margin.TRADING

    def admit(self, exchange: Exchange, intent: Intent) -> None:
        """Raise Refused when the trading account cannot carry the order."""
        margin.admit(exchange, intent)

    def transferable(self, exchange: Exchange, user: str, wallet: str, coin: str) -> Decimal:
        """Return what may leave a wallet now."""
        return margin.transferable(exchange, user, wallet, coin)

    def authenticate(self, call: Call, endpoint: Endpoint) -> ApiKey | None:
        """Check key, passphrase, stamp, HMAC-SHA256 in Base64, right, and the deadline named."""
        if endpoint.access == "public":
            return None
        headers = call.headers
        for name, code in HEADERS.items():
            if not headers.get(name):
                raise VenueError(code, f'Request header "{name}" cannot be empty.', status=401)
        _check_stamp(headers["OK-ACCESS-TIMESTAMP"], call.now_ms)
        key = call.exchange.ledger.keys.get(headers["OK-ACCESS-KEY"])
        if key is None or not key.user.startswith("okx:"):
            raise VenueError(50111, "Invalid OK-ACCESS-KEY.", status=401)
        if not hmac.compare_digest(headers["OK-ACCESS-PASSPHRASE"], key.passphrase):
            raise VenueError(50105, 'Request header "OK-ACCESS-PASSPHRASE" incorrect.', status=401)
        target = f"{call.path}?{call.query}" if call.query else call.path
        payload = headers["OK-ACCESS-TIMESTAMP"] + call.method + target + call.body
        if not hmac.compare_digest(signature(key.secret, payload), headers["OK-ACCESS-SIGN"]):
            raise VenueError(50113, "Invalid signature.", status=401)
        needs = budget_of(endpoint.budget).needs
        if needs != READ and needs not in key.permissions:
            raise VenueError(50120, "This API key doesn't have permission to use this function")
        _check_deadline(call)
        return key

    def limit(self, call: Call, endpoint: Endpoint) -> Mapping[str, str]:
        """Count against the endpoint's own limit, and new orders of a member against 1000 in 2 s.

        A single order sent in a batch counts as a single order; each order of a batch counts.
        """
        budget = budget_of(endpoint.budget)
        orders = actions(call) if call.path in BATCHED else ()
        path, counted = call.path, budget
        if len(orders) == 1:
            path = call.path.replace("batch-orders", "order")
            counted = Budget(60, budget.window_ms, budget.who, budget.by, budget.needs)
        for name, cost in _shares(call, counted, orders).items():
            usage = call.exchange.limiter.take(
                f"okx|{path}|{name}", cost, counted.count, counted.window_ms, call.now_ms
            )
            if usage.exceeded:
                raise VenueError(50011, TOO_MANY, status=429)
        if call.path in PLACING and call.method == "POST":
            _count_member(call, orders or ({"instId": call.text("instId")},))
        return {}

    def answer(self, call: Call, body: object) -> Reply:
        """Wrap a list of rows; what came with an envelope of its own goes out as it is."""
        del call
        if isinstance(body, dict) and "code" in body:
            ready: Json = body
            return Reply(ready, code=str(body["code"]))
        return _envelope(0, "", body)

    def refuse(self, call: Call, error: VenueError | Refused | ValueError) -> Reply:
        """Put a refusal into the envelope."""
        if isinstance(error, VenueError):
            return _envelope(error.code, error.message, [], error.status)
        if isinstance(error, Refused):
            code, words, _ = code_of(call.path, error)
            return _envelope(code, words, [])
        return _envelope(51000, f"Parameter error: {error}", [], 400)

    def unknown(self, call: Call) -> Reply:
        """Answer a path the table does not hold: HTTP 404."""
        del call
        return _envelope(404, "Not Found", [], 404)


def signature(secret: str, payload: str) -> str:
    """Return the HMAC-SHA256 of timestamp + method + path with query + body, in Base64."""
    digest = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _shares(call: Call, budget: Budget, orders: Sequence[Mapping[str, Json]]) -> dict[str, int]:
    """Name what a call counts against, and how often."""
    who = call.remote
    if budget.who != IP:
        key = call.exchange.ledger.keys.get(call.headers.get("OK-ACCESS-KEY", ""))
        who = "" if key is None else key.user
    if not orders:
        return {f"{budget.who}|{who}|{call.text(budget.by) if budget.by else ''}": 1}
    shares: dict[str, int] = {}
    for order in orders:
        name = f"{budget.who}|{who}|{order.get(budget.by, '')}"
        shares[name] = shares.get(name, 0) + 1
    return shares


def _count_member(call: Call, orders: Sequence[Mapping[str, Json]]) -> None:
    """Count new orders of a member; those of spot are exempt."""
    key = call.exchange.ledger.keys.get(call.headers.get("OK-ACCESS-KEY", ""))
    cost = sum(str(row.get("instId", "")).count("-") > 1 for row in orders)
    if key is None or not cost:
        return
    usage = call.exchange.limiter.take(
        f"okx|member|{key.user}", cost, MEMBER_LIMIT, MEMBER_WINDOW_MS, call.now_ms
    )
    if usage.exceeded:
        raise VenueError(50061, "You've reached the maximum order rate limit for this account.")


def _check_stamp(stamp: str, now_ms: int) -> None:
    try:
        told_ms = round(datetime.fromisoformat(stamp).timestamp() * 1000)
    except ValueError as error:
        raise VenueError(50112, "Invalid OK-ACCESS-TIMESTAMP.", status=401) from error
    if not stamp.endswith("Z"):
        raise VenueError(50112, "Invalid OK-ACCESS-TIMESTAMP.", status=401)
    if abs(now_ms - told_ms) >= WINDOW_MS:
        raise VenueError(50102, "Timestamp request expired.", status=401)


def _check_deadline(call: Call) -> None:
    """Refuse an order whose deadline has passed; elsewhere the header means nothing."""
    deadline = call.headers.get("expTime", "")
    if not deadline or call.path not in PLACING or call.method != "POST":
        return
    if not deadline.isdigit() or int(deadline) < call.now_ms:
        raise VenueError(
            50036,
            "The expTime can't be earlier than the current system time. "
            "Please adjust the expTime and try again.",
        )


def _envelope(code: int, message: str, data: object, status: int = 200) -> Reply:
    rows: Json = data  # type: ignore[assignment]
    return Reply({"code": str(code), "msg": message, "data": rows}, status, code=str(code))
