"""Switches of venues that cancel whatever rests in an account, should we fall silent.

That one is set is written down before the venue is asked, so that the next start knows which may
still be counting down: it sets those anew whose orders stand, and takes the others back.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from allocator.execution.asking import answer
from allocator.execution.attempts import sender
from allocator.execution.entries import Place
from allocator.execution.run import Shell
from allocator.execution.transitions import OPEN_STATES, State
from allocator.models.base import ONE, ZERO
from allocator.models.intents import Ack, OrderIntent, Outcome
from allocator.ports import DeadMan, Venue
from allocator.risk import table
from allocator.risk.control import Refusal

ARMED, DISARMED = "armed", "disarmed"
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""When a switch was set that an earlier start has set: it is due to be set anew."""


class Switches:
    """The switches of a process.

    Parameters
    ----------
    shell
        What the executor works with; it knows when each switch was set last.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._journal = shell.journal

    def take_over(self) -> None:
        """Learn from the record which switches an earlier start has left set."""
        for account, venue in self._shell.venues.items():
            known = account in self._shell.armed or not _has_switch(venue)
            if not known and self._journal.history.told_last(_subject(account)) == ARMED:
                self._shell.armed[account] = LONG_AGO

    async def arm(self, place: Place, intent: OrderIntent) -> bool:
        """Tell the venue to cancel everything should we fall silent; False: it would not.

        Venues without such a switch, and a configuration that does not ask for it, need none.
        """
        venue = self._shell.venue(intent.account)
        if self._shell.controls.dead_man_s is None or not _has_switch(venue):
            return True
        if isinstance(await self._set(intent.account), Ack):
            return True
        refusal = Refusal(table.DEAD_MAN, intent.account, ONE, ZERO)
        self._journal.refuse(place, intent, [refusal])
        return False

    async def keep(self, intent: OrderIntent) -> None:
        """Tell the venue of a resting order again once a third of the time is over."""
        seconds, armed = self._shell.controls.dead_man_s, self._shell.armed.get(intent.account)
        if seconds is None or armed is None or intent.style != "post_only":
            return
        if self._shell.clock.now() >= armed + timedelta(seconds=float(seconds) / 3):
            await self._set(intent.account)

    async def take_back(self) -> None:
        """Take back every switch that nothing needs: where no order may stand in the market.

        A venue that does not answer keeps its switch, which then finds nothing to cancel; the
        next start asks it again.
        """
        if not self._shell.armed:
            return
        standing = self._standing()
        for account in [name for name in self._shell.armed if name not in standing]:
            del self._shell.armed[account]
            if isinstance(await self._tell(account, 0), Ack):
                self._journal.note(_subject(account), DISARMED)

    def _standing(self) -> Collection[str]:
        rows = self._journal.history.with_state(*sorted(OPEN_STATES), State.MANUAL)
        return {sender(row.intent) for row in rows if isinstance(row.intent, OrderIntent)}

    async def _set(self, account: str) -> Outcome:
        seconds = self._shell.controls.dead_man_s
        assert seconds is not None
        least = self._shell.venue(account).capabilities.dead_man_s or ZERO
        asked = int(max(seconds, least))
        if account not in self._shell.armed:
            self._journal.note(_subject(account), ARMED, seconds=asked)
        outcome = await self._tell(account, asked)
        self._shell.armed[account] = self._shell.clock.now()
        return outcome

    async def _tell(self, account: str, seconds: int) -> Outcome:
        venue = self._shell.venue(account)
        assert isinstance(venue, DeadMan)
        return await answer(self._shell, venue, venue.cancel_after(seconds))


def _has_switch(venue: Venue) -> bool:
    return venue.capabilities.dead_man_s is not None and isinstance(venue, DeadMan)


def _subject(account: str) -> str:
    return f"switch:{account}"
