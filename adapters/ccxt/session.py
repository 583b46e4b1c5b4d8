"""A login's ccxt client: what it asks, by whose clock, and what holds its requests back.

No action and no read of an account is ever retried here.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import ccxt.async_support as exchanges

from allocator.adapters.ccxt.budgets import Budgets, hurry
from allocator.adapters.ccxt.clients import heard, secrets_of
from allocator.adapters.ccxt.failures import Answer, NotSentError, UnansweredError, failure
from allocator.adapters.ccxt.keyring import Signs
from allocator.adapters.ccxt.market_list import MarketList
from allocator.adapters.ccxt.pauses import Holder, bans, check_free, hold, pause_of
from allocator.adapters.ccxt.values import JsonObject, moment
from allocator.adapters.ccxt.windows import offset_ms, set_offset_ms, stamp_ms
from allocator.models.config import LoginConfig

CLOCK_AGE_S = 600.0
CLOCK_TRIES = 3
CLOCK_WAY_MS = 300
PUBLIC_AGE_S = 30.0
UNSIGNED = ("public", "system_status")
WORD = re.compile(r'"([A-Za-z]+)"')


@dataclass(slots=True)
class _Told:
    """What a public endpoint answered last, and when; a pause that holds it back alone."""

    reply: Any = None
    at: float = 0.0
    paused_until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class VenueState:
    """What all clients of one venue share."""

    budgets: Budgets
    markets: MarketList
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
    readings
        Readings that a dialect shares between all who ask for them, by name.
    silent
        Whether the last signed request that left and ended had no answer from the venue at all.
    signs
        Whether it has what it signs with.
    """

    def __init__(
        self,
        name: str,
        config: LoginConfig,
        client: Any,
        shared: VenueState,
        signs: Signs | None = None,
    ) -> None:
        self.name = name
        self.config = config
        self.client = client
        self._shared = shared
        self._markets_of = 0
        self._offset_of = -CLOCK_AGE_S
        self.noted = dict[str, str]()
        self.readings = dict[str, object]()
        self._told = dict[str, _Told]()
        self.paused_until = 0.0
        self.silent = False
        self.signs = signs or Signs()

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self.config.venue

    @property
    def late(self) -> str | None:
        """Why the list of markets is older than it should be; None: it is not."""
        return self._shared.markets.late

    async def prepare(self) -> None:
        """Load markets (for all logins of a venue) and measure the clock's offset, when due.

        Raises
        ------
        VenueError
            When the venue does not answer; an old list of markets serves on.
        """
        try:
            async with self._shared.lock:
                await self._load()
                if time.monotonic() - self._shared.offset_at >= CLOCK_AGE_S:
                    await self.synchronise()
            self._take_shared()
        except exchanges.BaseError as error:
            raise failure(error, Answer(), asked=f"{self.venue} markets and time") from error

    async def _load(self) -> None:
        """Load markets; whoever asks too much is told so here too, though an old list serves."""
        markets, answer = self._shared.markets, Answer()
        version, holder = markets.version, heard.set(answer)
        try:
            with hurry():
                await markets.load(self.client)
        finally:
            heard.reset(holder)
            if markets.version == version and answer.status:
                self._note_pause(answer, None)

    async def ready(self) -> None:
        """Take markets and offset as they were read last, and ask only where they never were.

        For what has to be sent whatever else the venue leaves unanswered; a stamp that is refused
        has the clock measured anew.

        Raises
        ------
        VenueError
            When they never were, and the venue does not answer.
        """
        if self._shared.markets.version and self._shared.offset_at >= 0:
            self._take_shared()
        else:
            await self.prepare()

    def _take_shared(self) -> None:
        markets = self._shared.markets
        if self._markets_of != markets.version:
            markets.hand_to(self.client)
            self._markets_of = markets.version
        if self._offset_of != self._shared.offset_at:
            set_offset_ms(self.client, self._shared.offset_ms)
            self._offset_of = self._shared.offset_at

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
        theirs = int(await self._time())
        after = int(self.client.milliseconds())
        return after - before, (before + after) // 2 - theirs

    async def _time(self) -> Any:
        """Ask for the time; whoever asks too much is told so here as well."""
        answer = Answer()
        holder = heard.set(answer)
        try:
            with hurry():
                return await self.client.fetch_time()
        except exchanges.BaseError:
            self._note_pause(answer, None)
            raise
        finally:
            heard.reset(holder)

    async def server_time(self) -> datetime:
        """Read the venue's clock."""
        try:
            return moment(await self._time())
        except exchanges.BaseError as error:
            raise failure(error, Answer(), asked=f"{self.venue} time") from error

    def used(self, api: str) -> float:
        """Tell which share of what the address may ask a service is used by now."""
        return self._shared.budgets.used(api)

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

    async def aside(self, endpoint: str, age_s: float = PUBLIC_AGE_S) -> Any:
        """Ask as `shared` does for what can be done without.

        A pause that it earns holds back the endpoint itself and nothing else, unless the venue has
        banned the address.

        Raises
        ------
        VenueError
            As `call` does; a failure is not kept.
        """
        return await self._once(self._shared.told, endpoint, {}, age_s, aside=True)

    async def kept(
        self, endpoint: str, params: Mapping[str, object], age_s: float = PUBLIC_AGE_S
    ) -> Any:
        """Ask what one login is told once for all who share it, and keep the answer a while."""
        return await self._once(self._told, endpoint, params, age_s)

    async def _once(
        self,
        store: dict[str, _Told],
        endpoint: str,
        params: Mapping[str, object],
        age_s: float,
        *,
        aside: bool = False,
    ) -> Any:
        told = store.setdefault(f"{endpoint} {sorted(params.items())}", _Told())
        async with told.lock:
            if told.reply is None or time.monotonic() - told.at >= age_s:
                reply = await self._ask(endpoint, params, None, told if aside else None)
                told.reply, told.at = _structured(reply, endpoint), time.monotonic()
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
        return _structured(await self._ask(endpoint, params, at), endpoint)

    async def word(self, endpoint: str, params: Mapping[str, object]) -> str:
        """Ask an endpoint that answers with a single word in quotes, which is JSON as well.

        Raises
        ------
        VenueError
            As `call` does.
        """
        reply = await self._ask(endpoint, params, None)
        found = WORD.fullmatch(str(reply).strip())
        if found is None:
            raise UnansweredError(f"{endpoint}: not a word: {str(reply)[:80]!r}")
        return found[1]

    async def _ask(
        self,
        endpoint: str,
        params: Mapping[str, object] | Sequence[Mapping[str, object]],
        at: datetime | None,
        aside: _Told | None = None,
    ) -> Any:
        """Ask once; an answer that is no JSON object comes back as its text."""
        if _is_signed(endpoint):
            self.signs.check()
        check_free(self.venue, self._shared, self, aside or self)
        stamp = stamp_ms.set(None if at is None else round(at.timestamp() * 1000))
        answer = Answer()
        holder = heard.set(answer)
        try:
            body = dict(params) if isinstance(params, Mapping) else [dict(row) for row in params]
            return await getattr(self.client, endpoint)(body)
        except exchanges.BaseError as error:
            self._note_pause(answer, aside)
            # Not chained: the original's text may hold the key and the signed address.
            hide = secrets_of(self.client)
            raise failure(error, answer, hide, f"{self.venue} {endpoint}") from None
        finally:
            stamp_ms.reset(stamp)
            heard.reset(holder)
            if answer.left and _is_signed(endpoint):
                self.silent = not answer.status

    def _note_pause(self, answer: Answer, aside: _Told | None) -> None:
        found = pause_of(self.venue, answer)
        if found is None:
            return
        pause_s, alone = found
        holder: Holder = self if alone else self._shared
        if aside is not None and not bans(self.venue, answer):
            holder = aside
        hold(holder, pause_s)

    async def take_turn(self, turn: Callable[[Any], Awaitable[None]], cost: Any) -> None:
        """Wait until a request may leave, and keep it back where a pause began meanwhile.

        Raises
        ------
        NotSentError
            When one has, or its turn comes too late.
        """
        await turn(cost)
        check_free(self.venue, self._shared, self)
        answer = heard.get()
        if answer is not None:
            answer.left = True


def _is_signed(endpoint: str) -> bool:
    return not any(word in endpoint for word in UNSIGNED)


def _structured(reply: Any, endpoint: str) -> Any:
    if not isinstance(reply, dict | list):
        raise UnansweredError(f"{endpoint}: not JSON: {str(reply)[:80]!r}", silent=True)
    return reply
