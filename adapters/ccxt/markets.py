"""What a ccxt market says of an instrument, the same for every venue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.base import ZERO
from allocator.models.errors import VenueError
from allocator.models.intents import Quote
from allocator.models.market import Instrument


def _required(market: JsonObject, group: str, key: str) -> Decimal:
    found = number(market[group][key])
    if not found:
        raise VenueError(f"market {market.get('symbol')}: no {group} {key}")
    return found


def funding_rate(symbol: str, row: Mapping[str, object], key: str, status: str) -> Decimal:
    """Read a rate of funding; a market that does not trade may have none.

    Raises
    ------
    VenueError
        When one that trades tells none: that is not a rate of zero.
    """
    found = number(row.get(key))
    if found is None and status == "open":
        raise VenueError(f"no funding rate of {symbol}")
    return found or ZERO


def _expiry(market: JsonObject) -> datetime | None:
    milliseconds = market.get("expiry")
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None


def _kind(market: JsonObject) -> str:
    if market["spot"]:
        return "spot"
    if market.get("option"):
        return "option"
    return "perpetual" if market["swap"] else "future"


def instrument_of(venue: str, market: JsonObject, figures: Mapping[str, object]) -> Instrument:
    """Build an instrument from a ccxt market and what the venue itself told.

    ccxt's amounts are contracts for derivatives and base units for spot, as ours are. For an
    inverse contract the contract size is in quote units. Where no least quantity is told it is the
    step: nothing smaller can be sent. Where no greatest one is told there is none that is known.

    Parameters
    ----------
    figures
        Prices, volume, volatility, funding, status, tiers and the minimum notional.
    """
    limits = market["limits"]["amount"]
    kind, lot = _kind(market), _required(market, "precision", "amount")
    shape: dict[str, object] = {
        "id": f"{venue}:{market['symbol']}",
        "kind": kind,
        "base": market["base"],
        "quote": market["quote"],
        "lot": lot,
        "tick": _required(market, "precision", "price"),
        "min_quantity": number(limits["min"]) or lot,
        "max_quantity": number(limits["max"]) or None,
    }
    if kind != "spot":
        shape |= {
            "payoff": payoff_of(market),
            "underlying": market["base"],
            "settle": market["settle"],
            "contract_size": number(market["contractSize"]),
            "expiry": _expiry(market),
        }
    return Instrument.model_validate({**shape, **figures})


@exactly
def quoted(
    instrument: str,
    prices: tuple[Decimal | None, Decimal | None, Decimal | None],
    at: datetime,
    *,
    middle: bool = False,
) -> Quote:
    """Put best prices together.

    Parameters
    ----------
    prices
        Bid, ask and mark.
    middle
        Whether the middle stands for a mark that is not told.

    Raises
    ------
    VenueError
        When a side of the book is empty, or there is no mark.
    """
    bid, ask, mark = prices
    if not bid or not ask or not (mark or middle):
        raise VenueError(f"{instrument} is not quoted on both sides")
    return Quote(instrument=instrument, bid=bid, ask=ask, mark=mark or (bid + ask) / 2, at=at)


def payoff_of(market: JsonObject) -> str:
    """Name the payoff of a derivative; an option's is in its delta and what it settles in.

    Raises
    ------
    VenueError
        For an inverse contract that does not settle in its base: it contradicts itself.
    """
    if market.get("option"):
        return "linear"
    if market["inverse"]:
        if market["settle"] != market["base"]:
            raise VenueError(f"{market['symbol']} is inverse, and settled in {market['settle']}")
        return "inverse"
    return "linear" if market["settle"] == market["quote"] else "quanto"
