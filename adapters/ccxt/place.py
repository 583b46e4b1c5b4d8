"""Where an account lives: its wallet, and the clients that sign for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.models.account import Side
from allocator.models.base import ZERO
from allocator.models.config import AccountConfig
from allocator.models.errors import VenueError

Result = TypeVar("Result")

LONGEST_NAME = 200
"""Characters that are kept of a name: ours are shorter, and one of another may have any length."""


@dataclass(frozen=True, slots=True)
class Place:
    """An account and its logins.

    Attributes
    ----------
    login
        Signs orders and reads.
    master
        Signs transfers between the members of one master; the login itself where none is named.
    beside
        Markets of the other accounts at the venue whose wallets draw on the same limits, asked from
        the same address.
    notes
        What the last reading told that does not keep the account from being read, by topic.
    kept
        What readings keep for the next one, by topic.
    """

    config: AccountConfig
    login: Login
    master: Login
    beside: int = 0
    notes: dict[str, str] = field(default_factory=dict[str, str], compare=False)
    kept: dict[str, Any] = field(default_factory=dict[str, Any], compare=False)

    @property
    def account(self) -> str:
        """The account's id."""
        return self.config.id

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self.login.venue

    @property
    def member(self) -> str:
        """The venue's id of the user, needed to move money between members.

        Raises
        ------
        NotSentError
            When the configuration does not tell it.
        """
        if self.login.config.member is None:
            raise NotSentError(f"login {self.login.name}: member is not configured")
        return self.login.config.member

    def symbol(self, instrument: str) -> str:
        """Take the venue off an instrument's id."""
        return instrument.removeprefix(f"{self.venue}:")

    def market(self, instrument: str) -> JsonObject:
        """Look up the ccxt market of an instrument's id."""
        return self.login.market(self.symbol(instrument))

    def instrument(self, market_id: str, kind: str) -> str | None:
        """Name the instrument of a venue's market id; None: an unknown market."""
        symbol = self.login.symbol(market_id, kind)
        return None if symbol is None else f"{self.venue}:{symbol}"

    def named(self, market_id: str, kind: str) -> str:
        """Name the instrument of a venue's market id.

        Raises
        ------
        VenueError
            When it is not among the markets.
        """
        found = self.instrument(market_id, kind)
        if found is None:
            raise VenueError(f"a row of an unknown market: {market_id}")
        return found

    async def each(
        self, ask: Callable[[Place, JsonObject], Awaitable[Result]]
    ) -> dict[str, Result]:
        """Ask for something of each configured market, and keep the answers by instrument."""
        markets = [self.login.market(symbol) for symbol in self.config.instruments]
        found = await asyncio.gather(*(ask(self, market) for market in markets))
        return {
            f"{self.venue}:{market['symbol']}": row
            for market, row in zip(markets, found, strict=True)
        }  # fmt: skip

    def listed(self, wanted: Collection[str]) -> list[JsonObject]:
        """List the markets of instruments by id; one that the venue does not have is left out."""
        known = self.login.client.markets
        return [known[self.symbol(name)] for name in sorted(wanted) if self.symbol(name) in known]

    def perpetuals(self, wanted: Collection[str], settle: str) -> list[JsonObject]:
        """List the perpetuals settled in a coin among instruments; others are left out."""
        found = self.listed(wanted)
        return [market for market in found if market["swap"] and market["settle"] == settle]


def who(place: Place) -> JsonObject:
    """Give the fields of an account that the configuration knows."""
    config = place.config
    return {
        "id": config.id,
        "venue": place.venue,
        "owner": config.owner,
        "control_group": config.control_group,
        "login": config.login,
        "order_budget": config.order_budget,
        "ring_fenced": config.ring_fenced,
    }


def text(row: JsonObject, key: str) -> str:
    """Read a field that must be there.

    Raises
    ------
    VenueError
        When it is absent or empty.
    """
    value = row.get(key)
    if value is None or value == "":
        raise VenueError(f"the answer has no {key}")
    return str(value)


def client_id_of(row: JsonObject, key: str, ours: Callable[[str], str] = str) -> str | None:
    """Read the client id that an order bears; empty: it bears none; None: that is not told.

    What is left out is not told, though a page may say that only names are: were a name of ours
    left out, our own order would count as another's beside itself.

    Parameters
    ----------
    ours
        Takes a name of ours back to the id of its intent, and leaves any other as it is.
    """
    if key not in row:
        return None
    told = row[key]
    return "" if told is None else ours(str(told))[:LONGEST_NAME]


def sided(row: JsonObject, key: str, buys: str, sells: str) -> Side:
    """Read a side by the venue's words for both: what is neither is not taken for either.

    Raises
    ------
    VenueError
        When it is absent, or another word.
    """
    told = text(row, key)
    if told not in (buys, sells):
        raise VenueError(f"side {told} is not known")
    return "buy" if told == buys else "sell"


def flag(row: JsonObject, key: str) -> bool:
    """Read a switch that is off where it is not told.

    Raises
    ------
    VenueError
        When it is neither true nor false: a word for false would be taken for true.
    """
    told = row.get(key)
    if told is not None and not isinstance(told, bool):
        raise VenueError(f"{key} {told!r} is neither true nor false")
    return told is True


def reduces(row: JsonObject, key: str, side: Side, *, told: bool) -> bool:
    """Tell whether an order only reduces: one of two legs by its side, any other by its flag.

    With two legs the flag says nothing: one venue does not apply it then, another refuses it.

    Parameters
    ----------
    key
        What names the leg; a row without it has none.
    told
        The order's flag.

    Raises
    ------
    VenueError
        When the leg is not known.
    """
    leg = str(row.get(key) or "").lower()
    if leg not in {"", "net", "both", "long", "short"}:
        raise VenueError(f"{key} {row[key]} is not known")
    if leg not in {"long", "short"}:
        return told
    return (leg == "long") == (side == "sell")


def unsigned(row: JsonObject, key: str) -> Decimal:
    """Read a size whose side is told apart.

    Raises
    ------
    VenueError
        When it is absent, or below zero: its sign and its side would contradict each other.
    """
    size = number(text(row, key)) or ZERO
    if size < 0:
        raise VenueError(f"size {size} of a side that is told apart")
    return size
