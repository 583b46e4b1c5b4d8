"""An account at a venue behind the ports: what an answer means for an action.

* ``Ack``: the venue named its id.
* ``Rejected``: a code of the venue's definitive list, or the request certainly never left. Unless
  the code tells of the request's form alone, a look-up has to show that the network did not deliver
  the request twice, and the refusal is of the second one. Where it finds nothing another follows
  after `Capabilities.read_lag_s`: only an effect that shows later still is taken for an absence.
* ``Unknown``: everything else. It is looked up, never sent again.

What a look-up finds by amount and time alone may be another action that was equal. So it never
makes a refusal an ``Ack``, unless that says itself that the action came before: where nothing is
found the refusal stands, where something is found that is not known to be another's the outcome is
``Unknown``. And every look-up of such an action finds it only where no other, sent as late, may be
what was found; else nobody can say.

All that a look-up or a cancel asks is urgent, whether it names the order or lists them: it follows
what we wrote. Readings and gathers are not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

from allocator.adapters.ccxt.batches import check_carried
from allocator.adapters.ccxt.budgets import hurry
from allocator.adapters.ccxt.dialect import Batches, DeadMan, Trace, able
from allocator.adapters.ccxt.effects import fitting, had_effect
from allocator.adapters.ccxt.failures import NotSentError, RefusalError
from allocator.adapters.ccxt.money import Directory, Money
from allocator.adapters.ccxt.place import Place
from allocator.models.errors import VenueError
from allocator.models.intents import (
    AbsentNow,
    AccountReading,
    Ack,
    Capabilities,
    Finding,
    Found,
    Intent,
    OrderIntent,
    Outcome,
    Quote,
    Rejected,
    TransferIntent,
    Unknown,
    Unsure,
)
from allocator.ports import Clock

CLOCK_ERROR_MS = 200
"""Milliseconds by which the measured offset of a venue's clock may be wrong."""

CLOCK_S = 2.0
"""Seconds that measuring the clock anew may take before a refusal is told: what was measured last
serves on, and the next stamp that is refused measures again."""


def look_s(can: Capabilities) -> float:
    """Bound how long a refused action is looked for, in seconds: others wait in its request."""
    return 2 * float(can.read_lag_s) + 3


class CcxtVenue:
    """One account, ready to trade.

    Parameters
    ----------
    place
        The account.
    directory
        Where its money may go.
    clock
        Dates a reading that failed, and waits until a venue shows what it did.
    """

    def __init__(self, place: Place, directory: Directory, clock: Clock) -> None:
        self._place = place
        self._directory = directory
        self._dialect = directory.dialects[place.venue]
        self._money = Money(place.venue, directory)
        self._clock = clock

    @property
    def account(self) -> str:
        """The account's id."""
        return self._place.account

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked."""
        return able(self._dialect, self._place)

    async def server_time(self) -> datetime:
        """Read the venue's clock, UTC."""
        await self._place.login.prepare()
        return await self._place.login.server_time()

    async def submit(self, intent: Intent) -> Outcome:
        """Send one action, once."""
        begun = self._clock.now()
        alike = self._directory.alike
        if not isinstance(intent, OrderIntent) and self._money.is_unkeyed(intent):
            alike.send(self._place.venue, intent, intent.stamped_at or begun)
        try:
            answer: str | Exception = await self._send(intent)
        except Exception as error:  # noqa: BLE001 - whatever it was, it may have been carried out
            answer = error
        outcome = await self._told(intent, answer, begun)
        alike.end(intent.client_id, outcome)
        return outcome

    async def submit_together(self, intents: Sequence[OrderIntent]) -> tuple[Outcome, ...]:
        """Send orders in one request, once; each has an outcome of its own."""
        answers: Sequence[str | Exception]
        begun = self._clock.now()
        try:
            answers = await self._send_together(intents)
        except Exception as error:  # noqa: BLE001 - what befell the request befell every order
            answers = [error] * len(intents)
        rows = zip(intents, answers, strict=True)
        return tuple(await asyncio.gather(*(self._told(*row, begun) for row in rows)))

    async def cancel_after(self, seconds: int) -> Outcome:
        """Have every order cancelled unless this is called again within so many seconds."""
        dialect = self._dialect
        try:
            if not isinstance(dialect, DeadMan) or self.capabilities.dead_man_s is None:
                raise NotSentError(f"{self.account} has no dead man's switch")
            await self._ready()
            return Ack(venue_id=await dialect.cancel_after(self._place, seconds))
        except NotSentError as error:
            return Rejected(code="NOT_SENT", message=str(error))
        except RefusalError as error:
            if await self._too_late(error) or error.code in dialect.facts.definitive:
                return Rejected(code=error.code, message=error.message)
            return Unknown(why=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, it may have been carried out
            return Unknown(why=f"{type(error).__name__}: {error}")

    async def find(self, intent: Intent, since: datetime, venue_id: str | None = None) -> Finding:
        """Look an action up; only a well-formed answer without it is an absence."""
        return await self._finding(intent, since, venue_id)

    def is_likeness(self, intent: Intent, found: Found, venue_id: str | None) -> bool:
        """Tell whether it was found by amount and time alone.

        Parameters
        ----------
        venue_id
            The name that it was asked for by; None: by none.
        """
        return (
            not isinstance(intent, OrderIntent)
            and found.venue_id != venue_id
            and self._money.is_unkeyed(intent)
        )

    async def _finding(
        self, intent: Intent, since: datetime, venue_id: str | None = None, *, refused: bool = False
    ) -> Finding:
        try:
            self._place.login.signs.check()
            with hurry():
                await self._place.login.prepare()
                now = await self._place.login.server_time()
                trace = self._trace(intent, since, venue_id, refused=refused)
                found = await self._find(intent, trace)
            if found is not None and not isinstance(intent, OrderIntent):
                self._money.check_owned(intent, found, since, venue_id)
        except Exception as error:  # noqa: BLE001 - an error is never a negative
            return Unsure(why=f"{type(error).__name__}: {error}")
        return AbsentNow(venue_time=now) if found is None else found

    async def cancel(self, intent: OrderIntent) -> Outcome:
        """Cancel what is left of an order."""
        try:
            with hurry():
                await self._ready()
                return Ack(venue_id=await self._dialect.cancel_order(self._place, intent))
        except NotSentError as error:
            return Unknown(why=str(error))
        except RefusalError as error:
            if error.code in self._dialect.facts.gone or await self._too_late(error):
                return Rejected(code=error.code, message=error.message)
            return Unknown(why=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, it may have been carried out
            return Unknown(why=f"{type(error).__name__}: {error}")

    async def read(self) -> AccountReading:
        """Read wallets, positions and open orders."""
        try:
            self._place.login.signs.check()
            await self._place.login.prepare()
            return await self._dialect.reading(self._place)
        except Exception as error:  # noqa: BLE001 - a reading that failed says so, and nothing else
            why = (f"{type(error).__name__}: {error}",)
            return AccountReading(
                account=self.account, at=self._clock.now(), complete=False, missing=why
            )

    async def quote(self, instrument: str) -> Quote:
        """Read best prices."""
        await self._place.login.prepare()
        return await self._dialect.quote(self._place, instrument)

    async def close(self) -> None:
        """Release nothing: the clients are shared and closed together."""

    async def _prepare(self, *places: Place) -> None:
        for place in places:
            place.login.signs.check()
        try:
            for place in places:
                await place.login.prepare()
                await place.master.prepare()
        except VenueError as error:
            raise NotSentError(f"{places[0].venue} does not answer: {error}") from error

    async def _ready(self) -> None:
        """Prepare what cancels, which waits for no list of markets but the first."""
        self._place.login.signs.check()
        try:
            await self._place.login.ready()
        except VenueError as error:
            raise NotSentError(f"{self._place.venue} does not answer: {error}") from error

    def _check_able(self, intent: Intent) -> None:
        """Keep to the capability table: what it denies does not leave.

        Raises
        ------
        NotSentError
            When it denies the intent.
        """
        can = self.capabilities
        if isinstance(intent, OrderIntent):
            able, what = can.orders, "orders"
        elif not isinstance(intent, TransferIntent):
            able, what = can.moves, "moves"
        elif intent.route in self._directory.addresses:
            able, what = can.withdrawals, "withdrawals"
        else:
            able, what = can.transfers, "transfers"
        if not able:
            raise NotSentError(f"{what} of {self.account} are not sent")

    async def _send(self, intent: Intent) -> str:
        self._check_able(intent)
        if not isinstance(intent, OrderIntent) and intent.source != self.account:
            raise NotSentError(f"{self.account} sends nothing that leaves {intent.source}")
        await self._prepare(self._place)
        if isinstance(intent, OrderIntent):
            return await self._dialect.send_order(self._place, intent)
        return await self._money.send(intent)

    async def _send_together(self, intents: Sequence[OrderIntent]) -> Sequence[str | Exception]:
        dialect = self._dialect
        for intent in intents:
            self._check_able(intent)
        if not isinstance(dialect, Batches):
            raise NotSentError(f"{self._place.venue} takes one order a request")
        check_carried(self.capabilities, intents)
        await self._prepare(self._place)
        return await dialect.send_orders(self._place, intents)

    async def _told(self, intent: Intent, answer: str | Exception, begun: datetime) -> Outcome:
        """Type what came of an action begun at a time: an id, or what was raised instead."""
        if isinstance(answer, str):
            return Ack(venue_id=answer)
        if isinstance(answer, NotSentError):
            return Rejected(code="NOT_SENT", message=str(answer))
        if isinstance(answer, RefusalError):
            return await self._refused(intent, answer, intent.stamped_at or begun)
        return Unknown(why=f"{type(answer).__name__}: {answer}")

    async def _refused(self, intent: Intent, error: RefusalError, since: datetime) -> Outcome:
        facts = self._dialect.facts
        known = error.code in facts.duplicate or facts.is_replay(error.message)
        if not known and not await self._too_late(error) and error.code not in facts.definitive:
            return Unknown(why=str(error))
        rejected = Rejected(code=error.code, message=error.message)
        if not known and error.code in facts.formal:
            return rejected
        try:
            async with asyncio.timeout(look_s(self.capabilities)):
                return await (self._known if known else self._look)(intent, rejected, since)
        except TimeoutError:
            return Unknown(why=f"{error}: refused, and not looked up in time")

    async def _known(self, intent: Intent, rejected: Rejected, since: datetime) -> Outcome:
        """Look for what was known already when it was refused."""
        found = await self.find(intent, since)
        if isinstance(found, Found):
            return Ack(venue_id=found.venue_id)
        return Unknown(why=f"{rejected.code}: {rejected.message}: known already, and not found")

    async def _look(self, intent: Intent, rejected: Rejected, since: datetime) -> Outcome:
        """Look for an effect that a refusal may be the consequence of."""
        told = f"{rejected.code}: {rejected.message}"
        found = await self._finding(intent, since, refused=True)
        if isinstance(found, AbsentNow):
            # What the venue did a moment ago it may show only after its lag.
            await self._clock.sleep(float(self.capabilities.read_lag_s))
            found = await self._finding(intent, since, refused=True)
        if isinstance(found, Unsure):
            return Unknown(why=f"{told}: refused, and a look-up failed: {found.why}")
        if not had_effect(found):
            return rejected
        if self._money.is_unkeyed(intent):
            return Unknown(why=f"{told}: and one that looks the same was carried out")
        return Ack(venue_id=found.venue_id)

    async def _too_late(self, error: RefusalError) -> bool:
        """Tell whether the stamp was refused, and then measure the venue's clock anew."""
        facts = self._dialect.facts
        if error.code not in facts.stale or facts.is_replay(error.message):
            return False
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOCK_S):
                await self._place.login.synchronise()
        return True

    def _trace(
        self, intent: Intent, since: datetime, venue_id: str | None, *, refused: bool
    ) -> Trace:
        """Tell since when to look: nothing can have happened before its request was stamped."""
        earliest = intent.stamped_at or since
        alike = self._directory.alike
        since_ms = self._place.login.venue_ms(earliest) - CLOCK_ERROR_MS
        return Trace(
            since_ms,
            venue_id,
            taken=alike.taken(intent.client_id),
            rivals=not isinstance(intent, OrderIntent)
            and alike.rivals(self._place.venue, intent, earliest),
            refused=refused,
        )

    async def _find(self, intent: Intent, trace: Trace) -> Found | None:
        if isinstance(intent, OrderIntent):
            return fitting(intent, await self._dialect.find_order(self._place, intent, trace))
        return await self._money.find(intent, trace)
