"""One ccxt client per login; what can be shared between them is shared.

Shared: the HTTP session, a venue's budgets (limits by address), its markets, the offset of its
clock, a pause that it asked of the address. Not shared: keys, limits by user. No action and no read
of an account is ever retried here.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import ccxt.async_support as exchanges

from allocator.adapters.ccxt import deribit_client
from allocator.adapters.ccxt.budgets import Budgets
from allocator.adapters.ccxt.failures import (
    Answer,
    NotSentError,
    UnansweredError,
    failure,
    venue_code,
)
from allocator.adapters.ccxt.gate import DirectSession, ReadsOnly, check_loopback
from allocator.adapters.ccxt.loopback import LoopbackSession
from allocator.adapters.ccxt.secrets import secret
from allocator.adapters.ccxt.windows import (
    RECEIVE_WINDOW_MS,
    bound,
    offset_ms,
    set_offset_ms,
    stamp_ms,
)
from allocator.models.config import Config, LoginConfig
from allocator.models.errors import ConfigError, VenueError

TIMEOUT_MS = 10_000
MARKETS_AGE_S = 3600.0
CLOCK_AGE_S = 600.0
CLOCK_TRIES = 3
CLOCK_WAY_MS = 300
PUBLIC_AGE_S = 30.0
DEFAULT_PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0
PAUSE_STATUS = frozenset({403, 418, 429})
BANNED = 418
LONGEST_BAN_S = 3 * 86_400.0
"""Binance bans an address for two minutes to three days, and longer if it goes on asking."""

USER_CODES: Mapping[str, frozenset[str]] = {
    "bitget": frozenset({"429"}),
    "bybit": frozenset({"10006"}),
    "deribit": frozenset({"10028"}),
    "gate": frozenset({"TOO_MANY_REQUESTS", "TOO_FAST"}),
    "okx": frozenset({"50011", "50061", "58102"}),
}
"""Too many requests of one user, by venue: the others may go on."""

ADDRESS_CODES: Mapping[str, frozenset[str]] = {
    "bybit": frozenset({"10018"}),
    "binance": frozenset({"-1003"}),
}
"""Too many requests of one address, by venue: nobody may go on."""

CREDENTIALS = {"key": "apiKey", "secret": "secret", "passphrase": "password"}
"""ccxt's word for each secret of a login."""

JsonObject = dict[str, Any]

_answer: contextvars.ContextVar[Answer | None] = contextvars.ContextVar("answer", default=None)

OPTIONS: Mapping[str, JsonObject] = {
    "bybit": {
        "fetchMarkets": {"types": ["spot", "linear", "inverse"]},
        "enableUnifiedMargin": False,
        "enableUnifiedAccount": True,
        "unifiedMarginStatus": 5,
    },
    "binance": {
        "fetchMarkets": {"types": ["spot", "linear", "inverse"]},
        "fetchMargins": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    },
    "bitget": {"fetchMarkets": {"types": ["swap"]}, "uta": False},
    "deribit": {},
    "gate": {"fetchMarkets": {"types": ["swap"]}, "unifiedAccount": False},
    "okx": {"fetchMarkets": {"types": ["spot", "swap", "future"]}},
}


PREPARE: Mapping[str, Callable[[Any], None]] = {"deribit": deribit_client.prepare}
"""What a venue's client needs beside its settings, done once when it is made."""

BURST = {"bitget": 10, "bybit": 250, "binance": 1000, "deribit": 80, "gate": 50, "okx": 200}
"""Cost that one client may spend at once. Bybit and OKX count each endpoint by itself while ccxt
counts them together: fifty calls, spread as ours are, stay inside every count. Deribit lets twenty
orders through at once, for which ccxt takes four each, and a hundred other requests. Binance's
clients have no limiter of their own: see `budgets`. Bitget counts ten a second on each endpoint and
Gate two hundred in ten: little is let through at once."""


@dataclass(slots=True)
class _Told:
    """What a public endpoint answered last, and when."""

    reply: Any = None
    at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class _VenueState:
    """What all clients of one venue share."""

    budgets: Budgets
    source: Any = None
    loaded_at: float = -MARKETS_AGE_S
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    paused_until: float = 0.0
    told: dict[str, _Told] = field(default_factory=dict[str, "_Told"])
    offset_ms: int = 0
    offset_at: float = -CLOCK_AGE_S


class Login:
    """A ccxt client with one set of keys.

    Attributes
    ----------
    name, config
        As configured.
    client
        The ccxt client; numbers come out of it as text.
    noted
        What a dialect read of the login's settings and needs later.
    silent
        Whether the last signed request that ended had no answer from the venue at all.
    """

    def __init__(self, name: str, config: LoginConfig, client: Any, shared: _VenueState) -> None:
        self.name = name
        self.config = config
        self.client = client
        self._shared = shared
        self._markets_of = 0.0
        self._offset_of = -CLOCK_AGE_S
        self.noted = dict[str, str]()
        self._told = dict[str, _Told]()
        self._paused_until = 0.0
        self.silent = False

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self.config.venue

    async def prepare(self) -> None:
        """Load markets (for all logins of a venue) and measure the clock's offset, when due.

        Raises
        ------
        VenueError
            When the venue does not answer.
        """
        try:
            async with self._shared.lock:
                await self._share_markets(self._shared)
                if time.monotonic() - self._shared.offset_at >= CLOCK_AGE_S:
                    await self.synchronise()
            if self._offset_of != self._shared.offset_at:
                set_offset_ms(self.client, self._shared.offset_ms)
                self._offset_of = self._shared.offset_at
        except exchanges.BaseError as error:
            raise failure(error, Answer(), asked=f"{self.venue} markets and time") from error

    async def _share_markets(self, shared: _VenueState) -> None:
        if time.monotonic() - shared.loaded_at >= MARKETS_AGE_S:
            await self.client.load_markets(True)
            shared.source, shared.loaded_at = self.client, time.monotonic()
        elif self._markets_of != shared.loaded_at:
            self.client.set_markets_from_exchange(shared.source)
        self._markets_of = shared.loaded_at

    async def synchronise(self) -> int:
        """Measure by how many milliseconds our clock is ahead of the venue's, for all its logins.

        The quickest of a few answers counts, since the offset can be wrong by half of its way; one
        that is quick enough ends it.
        """
        best = await self._offset()
        for _ in range(CLOCK_TRIES - 1):
            if best[0] <= CLOCK_WAY_MS:
                break
            best = min(best, await self._offset())
        self._shared.offset_ms, self._shared.offset_at = best[1], time.monotonic()
        set_offset_ms(self.client, best[1])
        self._offset_of = self._shared.offset_at
        return best[1]

    async def _offset(self) -> tuple[int, int]:
        """Ask for the time once: how long it took at most, and the offset in the middle of that."""
        before = int(self.client.milliseconds())
        theirs = int(await self.client.fetch_time())
        after = int(self.client.milliseconds())
        return after - before, (before + after) // 2 - theirs

    async def server_time(self) -> datetime:
        """Read the venue's clock."""
        try:
            return moment(await self.client.fetch_time())
        except exchanges.BaseError as error:
            raise failure(error, Answer(), asked=f"{self.venue} time") from error

    def venue_now(self) -> datetime:
        """Tell the venue's time by our clock and the offset measured."""
        return moment(self.client.nonce())

    def venue_ms(self, at: datetime) -> int:
        """Turn a time of our clock into the venue's, milliseconds since 1970."""
        return round(at.timestamp() * 1000) - offset_ms(self.client)

    def market(self, symbol: str) -> JsonObject:
        """Look a market up by ccxt's symbol.

        Raises
        ------
        VenueError
            When the venue has none of that name.
        """
        try:
            found: JsonObject = self.client.market(symbol)
        except exchanges.BaseError as error:
            raise NotSentError(f"{self.venue} has no market {symbol}") from error
        return found

    def symbol(self, market_id: str, kind: str) -> str | None:
        """Name the market of a venue's own id; kind is ``spot``, ``linear`` or ``inverse``."""
        rows: list[JsonObject] = self.client.markets_by_id.get(market_id, [])
        return next((str(row["symbol"]) for row in rows if row[kind]), None)

    async def shared(
        self, endpoint: str, params: Mapping[str, object], age_s: float = PUBLIC_AGE_S
    ) -> Any:
        """Ask a public endpoint once for every login of the venue, and keep the answer a while.

        Raises
        ------
        VenueError
            As `call` does; a failure is not kept.
        """
        return await self._once(self._shared.told, endpoint, params, age_s)

    async def kept(
        self, endpoint: str, params: Mapping[str, object], age_s: float = PUBLIC_AGE_S
    ) -> Any:
        """Ask what one login is told once for all who share it, and keep the answer a while."""
        return await self._once(self._told, endpoint, params, age_s)

    async def _once(
        self, store: dict[str, _Told], endpoint: str, params: Mapping[str, object], age_s: float
    ) -> Any:
        told = store.setdefault(f"{endpoint} {sorted(params.items())}", _Told())
        async with told.lock:
            if told.reply is None or time.monotonic() - told.at >= age_s:
                told.reply, told.at = await self.call(endpoint, params), time.monotonic()
        return told.reply

    async def call(
        self,
        endpoint: str,
        params: Mapping[str, object] | Sequence[Mapping[str, object]],
        at: datetime | None = None,
    ) -> Any:
        """Ask one endpoint by ccxt's name for it, once, and return the venue's own JSON.

        Parameters
        ----------
        params
            Named; a list of such where one request carries many actions.
        at
            Time the request is stamped with; None: now.

        Raises
        ------
        NotSentError
            When it never left.
        RefusalError
            When the venue answered with a code.
        UnansweredError
            In every other case.
        """
        wait = max(self._shared.paused_until, self._paused_until) - time.monotonic()
        if wait > 0:
            raise NotSentError(f"{self.venue} asked for a pause of {wait:.1f} s more")
        stamp = stamp_ms.set(None if at is None else round(at.timestamp() * 1000))
        answer = Answer()
        holder = _answer.set(answer)
        try:
            body = dict(params) if isinstance(params, Mapping) else [dict(row) for row in params]
            reply = await getattr(self.client, endpoint)(body)
        except exchanges.BaseError as error:
            self._note_pause(answer)
            hide = tuple(str(getattr(self.client, name) or "") for name in CREDENTIALS.values())
            # Not chained: the original's text may hold the key and the signed address.
            raise failure(error, answer, hide, f"{self.venue} {endpoint}") from None
        finally:
            stamp_ms.reset(stamp)
            _answer.reset(holder)
            if "public" not in endpoint:
                self.silent = not answer.status
        if not isinstance(reply, dict | list):
            raise UnansweredError(f"{endpoint}: not JSON: {str(reply)[:80]!r}")
        return reply

    def _note_pause(self, answer: Answer) -> None:
        found = venue_code(answer.body)
        by_user = found is not None and found[0] in USER_CODES.get(self.venue, ())
        by_address = found is not None and found[0] in ADDRESS_CODES.get(self.venue, ())
        if answer.status not in PAUSE_STATUS and not by_user and not by_address:
            return
        try:
            pause_s = float(answer.headers.get("Retry-After", DEFAULT_PAUSE_S))
        except ValueError:
            pause_s = DEFAULT_PAUSE_S
        longest_s = LONGEST_BAN_S if answer.status == BANNED else LONGEST_PAUSE_S
        until = time.monotonic() + min(pause_s, longest_s)
        if by_user:
            self._paused_until = until
        else:
            self._shared.paused_until = until


class Sessions:
    """The clients of every login of a configuration.

    Parameters
    ----------
    config
        Logins, and whether requests go to a loopback exchange.
    reads_only
        Whether nothing but reads may leave.
    """

    def __init__(self, config: Config, *, reads_only: bool) -> None:
        if config.mode == "live" and config.loopback_url:
            raise ConfigError("mode live and loopback_url exclude each other")
        base = check_loopback(config.loopback_url) if config.loopback_url else None
        self._session = LoopbackSession(base) if base else DirectSession()
        self._reads_only = reads_only
        # A secret that is not there is told before any client is made: none is left open.
        for row in config.logins.values():
            for reference in row.references.values():
                secret(reference)
        self._venues: dict[str, _VenueState] = {}
        self.logins = {name: self._login(name, row) for name, row in config.logins.items()}

    async def close(self) -> None:
        """Close every client and the shared session."""
        await asyncio.gather(*(login.client.close() for login in self.logins.values()))
        await self._session.close()

    def _login(self, name: str, row: LoginConfig) -> Login:
        session = ReadsOnly(self._session) if self._reads_only else self._session
        shared = self._venues.setdefault(row.venue, _VenueState(Budgets(row.venue)))
        client = new_client(row, session)
        shared.budgets.bind(client)
        return Login(name, row, client, shared)


def new_client(row: LoginConfig, session: Any) -> Any:
    """Make a ccxt client: numbers as text, no retries, receive window of 5 s.

    Raises
    ------
    ConfigError
        For a venue without an adapter, or a secret that is not there.
    """
    if row.venue not in OPTIONS:
        raise ConfigError(f"no adapter speaks to {row.venue}")
    client = getattr(exchanges, row.venue)(
        {
            **{
                CREDENTIALS[field]: secret(reference).get_secret_value()
                for field, reference in row.references.items()
            },
            "session": session,
            "enableRateLimit": True,
            "timeout": TIMEOUT_MS,
            "number": str,
            "aiohttp_trust_env": False,
            "timeout_on_exit": 0,
            "options": {**OPTIONS[row.venue], "recvWindow": RECEIVE_WINDOW_MS},
        }
    )
    client.throttler.config |= {"capacity": BURST[row.venue], "tokens": BURST[row.venue]}
    client.has["fetchCurrencies"] = False
    client.on_json_response = partial(json.loads, parse_float=str)
    bound(client, row.venue)
    client.handle_errors = partial(_keep_answer, client.handle_errors)
    if row.venue in PREPARE:
        PREPARE[row.venue](client)
    check_client(client)
    return client


def check_client(client: Any) -> None:
    """Refuse a client that would send anything twice or read numbers through floats.

    Raises
    ------
    ConfigError
        Naming the setting.
    """
    if client.options.get("maxRetriesOnFailure"):
        raise ConfigError("maxRetriesOnFailure must be 0: it sends orders again")
    if client.number is not str:
        raise ConfigError("ccxt must hand numbers over as text")
    if int(client.options["recvWindow"]) > RECEIVE_WINDOW_MS:
        raise ConfigError(f"recvWindow must be at most {RECEIVE_WINDOW_MS} ms")


def moment(milliseconds: object) -> datetime:
    """Turn a venue's time, milliseconds since 1970 as a number or text, into UTC.

    Raises
    ------
    VenueError
        When it is none.
    """
    try:
        return datetime.fromtimestamp(int(str(milliseconds)) / 1000, UTC)
    except ValueError as error:
        raise VenueError(f"not a time: {milliseconds!r}") from error


def number(value: object) -> Decimal | None:
    """Read a venue's number; None: absent or empty, which is not zero.

    Raises
    ------
    VenueError
        When it is there and no number.
    """
    if value is None or value == "":
        return None
    try:
        found = Decimal(str(value))
    except ArithmeticError as error:
        raise VenueError(f"not a number: {value!r}") from error
    if isinstance(value, float | bool) or not found.is_finite():
        raise VenueError(f"not an exact number: {value!r}")
    return found


def _keep_answer(check: Callable[..., Any], *args: Any) -> Any:
    """Keep status, headers and body of an answer for `Login.call`, then let ccxt check it."""
    answer = _answer.get()
    if answer is not None:
        answer.status, answer.headers, answer.body = int(args[0]), args[4], str(args[5] or "")
    return check(*args)
