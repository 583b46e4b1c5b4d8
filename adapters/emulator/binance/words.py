"""The venue's words: hosts and markets, numbers as text, parameters and the errors about them."""

from decimal import ROUND_HALF_EVEN, Decimal

from allocator.adapters.emulator.errors import Refused, VenueError
from allocator.adapters.emulator.market import EIGHT, Instrument
from allocator.adapters.emulator.records import Leg, OrderStatus, OrderType, TimeInForce, User
from allocator.adapters.emulator.wire import Call

VENUE = "binance"
API, FAPI, DAPI = "api.binance.com", "fapi.binance.com", "dapi.binance.com"
MARKETS = {API: "spot", FAPI: "usdm", DAPI: "coinm"}
SPOT, FUNDING, USDM, COINM = "spot", "funding", "usdm", "coinm"
POSITION_SIDE: dict[Leg, str] = {"net": "BOTH", "long": "LONG", "short": "SHORT"}
LEG: dict[str, Leg] = {word: leg for leg, word in POSITION_SIDE.items()}
TIME_IN_FORCE: dict[TimeInForce, str] = {
    "gtc": "GTC",
    "ioc": "IOC",
    "fok": "FOK",
    "post_only": "GTX",
}
FUTURES_TYPE: dict[OrderType, str] = {"limit": "LIMIT", "market": "MARKET"}
DAY_MS = 86_400_000


def error(code: int, message: str, status: int = 400) -> VenueError:
    """Return a refusal in the venue's words, sent with HTTP 400 unless said otherwise."""
    return VenueError(code, message, status=status)


def missing(name: str) -> VenueError:
    """Return the venue's error for a mandatory parameter that was not sent."""
    return error(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def required(call: Call, name: str) -> str:
    """Return a mandatory parameter as text.

    Raises
    ------
    VenueError
        -1102 when it is absent or empty.
    """
    text = call.text(name)
    if not text:
        raise missing(name)
    return text


def amount(call: Call, name: str) -> Decimal:
    """Return a mandatory parameter as a number.

    Raises
    ------
    VenueError
        -1102 when it is absent, -1100 when it is not a number.
    """
    required(call, name)
    number = optional_amount(call, name)
    if number is None:
        raise missing(name)
    return number


def optional_amount(call: Call, name: str) -> Decimal | None:
    """Return a parameter as a number, None when absent.

    Raises
    ------
    VenueError
        -1100 when it is not a number.
    """
    try:
        return call.number(name)
    except ValueError as failure:
        raise error(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is "
            "'^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
        ) from failure


def whole(call: Call, name: str, default: int, maximum: int | None = None) -> int:
    """Return an integer parameter, `default` when absent, capped at `maximum`.

    Raises
    ------
    VenueError
        -1100 when it is not an integer.
    """
    text = call.text(name)
    if not text:
        return default
    if not text.lstrip("-").isdigit():
        raise error(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]+$'."
        )
    return int(text) if maximum is None else min(int(text), maximum)


def market_of(call: Call) -> str:
    """Return the market a host serves: spot, usdm or coinm."""
    return MARKETS[call.host]


def instrument_of(call: Call) -> Instrument:
    """Return the instrument named by `symbol` in the market of the host.

    Raises
    ------
    VenueError
        -1102 when no symbol is given, -1121 when there is none of that name.
    """
    symbol = required(call, "symbol")
    try:
        return call.exchange.instrument(VENUE, market_of(call), symbol)
    except Refused as refused:
        raise error(-1121, "Invalid symbol.") from refused


def instruments_of(call: Call) -> list[Instrument]:
    """Return the market's instruments, or the one that `symbol` names."""
    if call.text("symbol"):
        return [instrument_of(call)]
    market = market_of(call)
    return [i for i in call.exchange.instruments.values() if (i.venue, i.market) == (VENUE, market)]


def user_of(call: Call) -> User:
    """Return the user whose key signed the call."""
    return call.exchange.ledger.users[call.user]


def eight(number: Decimal) -> str:
    """Return a number with eight decimals, as amounts of coins are printed."""
    return format(number.quantize(EIGHT, rounding=ROUND_HALF_EVEN) + 0, "f")


def stepped(number: Decimal, step: Decimal) -> str:
    """Return a number with as many decimals as its step has."""
    return format(number.quantize(step.normalize(), rounding=ROUND_HALF_EVEN) + 0, "f")


def pair(instrument: Instrument) -> str:
    """Return the underlying pair: BTCUSD for BTCUSD_PERP."""
    return f"{instrument.base}{instrument.quote}"


def status_word(status: OrderStatus, filled: Decimal, reason: str) -> str:
    """Return an order's status word; what the venue itself ended is EXPIRED."""
    if status == "open":
        return "PARTIALLY_FILLED" if filled else "NEW"
    if status == "filled":
        return "FILLED"
    return "CANCELED" if reason == "cancelled" else "EXPIRED"
