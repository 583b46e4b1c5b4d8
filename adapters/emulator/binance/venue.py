"""What Binance adds to the core: wallets, admission of orders, signatures, limits, its replies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from allocator.adapters.emulator.binance import limits, margin, refusals, routes, signing
from allocator.adapters.emulator.binance.words import API, DAPI, FAPI, SPOT, VENUE
from allocator.adapters.emulator.errors import Refusal, Refused, VenueError
from allocator.adapters.emulator.exchange import Exchange, Intent
from allocator.adapters.emulator.market import Instrument, leverage_cap, profit, value
from allocator.adapters.emulator.records import ZERO, ApiKey
from allocator.adapters.emulator.wire import Call, Endpoint, Json, Reply

MARKET_SLACK = Decimal("0.0005")


class Binance:
    """The venue, as `exchange.Venue` asks for it."""

    name = VENUE
    hosts = (API, FAPI, DAPI)

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Return its rows of the endpoint table."""
        return routes.ENDPOINTS

    def wallet(self, instrument: Instrument) -> str:
        """Return the wallet that margins an instrument: spot, usdm or coinm."""
        return instrument.market

    def admit(self, exchange: Exchange, intent: Intent) -> None:
        """Raise Refused when the wallet, the margin or the bracket does not allow the order."""
        if intent.instrument.payoff == "spot":
            _admit_spot(exchange, intent)
        elif not intent.reduce_only:
            _admit_futures(exchange, intent)

    def transferable(self, exchange: Exchange, user: str, wallet: str, coin: str) -> Decimal:
        """Return what may leave a wallet now, in the coin."""
        if wallet in margin.COINS:
            pool = margin.pools(exchange, user, wallet).get(coin)
            return ZERO if pool is None else pool.may_leave
        total = exchange.ledger.amount(user, wallet, coin)
        locked = margin.locked_coins(exchange, user).get(coin, ZERO) if wallet == SPOT else ZERO
        return max(ZERO, total - locked)

    def authenticate(self, call: Call, endpoint: Endpoint) -> ApiKey | None:
        """Check key, signature and receive window; raise VenueError, or return the key."""
        return signing.authenticate(call, endpoint, call.exchange.ledger)

    def limit(self, call: Call, endpoint: Endpoint) -> Mapping[str, str]:
        """Count the call; raise VenueError when over, else return headers for the reply."""
        key = call.exchange.ledger.keys.get(call.headers.get(signing.KEY_HEADER, ""))
        account = call.remote if key is None else key.user
        return limits.count(call, endpoint, call.exchange.limiter, account)

    def answer(self, call: Call, body: object) -> Reply:
        """Return what a handler returned: the venue wraps nothing."""
        del call
        return Reply(body)  # type: ignore[arg-type]

    def refuse(self, call: Call, error: VenueError | Refused | ValueError) -> Reply:
        """Return code and message with the HTTP status the venue sends."""
        words = refusals.venue_error(call.host, call.path, error)
        body: Json = {"code": words.code, "msg": words.message}
        return Reply(body, words.status, words.headers, str(words.code))

    def unknown(self, call: Call) -> Reply:
        """Answer a path that is not in the table."""
        body: Json = {"code": -5000, "msg": f"Path {call.path}, Method {call.method} is invalid"}
        return Reply(body, 404, code="-5000")


def _admit_spot(exchange: Exchange, intent: Intent) -> None:
    instrument = intent.instrument
    buys = intent.side == "buy"
    coin = instrument.quote if buys else instrument.base
    needed = intent.quantity * _price(exchange, intent) if buys else intent.quantity
    total = exchange.ledger.amount(intent.user, SPOT, coin)
    free = total - margin.locked_coins(exchange, intent.user).get(coin, ZERO)
    if needed > free:
        raise Refused(Refusal.BALANCE, coin=coin, needed=needed, free=free)


def _admit_futures(exchange: Exchange, intent: Intent) -> None:
    instrument = intent.instrument
    before = margin.holding(exchange, intent.user, instrument, intent.leg)
    price = _price(exchange, intent)
    worth = value(instrument, intent.quantity, price)
    buys = intent.side == "buy"
    after = (
        replace(before, bids=before.bids + worth)
        if buys
        else replace(before, asks=before.asks + worth)
    )
    if after.present <= before.present:
        return
    cap = leverage_cap(instrument.tiers, before.leverage)
    if after.present > cap:
        raise Refused(Refusal.RISK_LIMIT, notional=after.present, cap=cap)
    pool = margin.pools(exchange, intent.user, instrument.market)[instrument.settle]
    loss = max(ZERO, -profit(instrument, intent.signed, price, before.mark))
    needed = after.initial - before.initial + loss
    if needed > pool.available:
        raise Refused(Refusal.MARGIN, needed=needed, available=pool.available)


def _price(exchange: Exchange, intent: Intent) -> Decimal:
    """Return the price an order is held to: its own, or the best opposite plus 0.05%."""
    if intent.price is not None:
        return intent.price
    book = exchange.book(intent.instrument)
    if intent.side == "buy":
        return book.asks[0][0] * (1 + MARKET_SLACK)
    return book.bids[0][0] * (1 if intent.instrument.payoff == "inverse" else 1 + MARKET_SLACK)
