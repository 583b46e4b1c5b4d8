"""Switches of venues that cancel whatever rests in an account, should we fall silent.

That one is set is written down before the venue is asked, so that the next start knows which may
still be counting down: it sets those anew whose orders stand, and takes the others back.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from allocator.execution.asking import answer
from allocator.execution.attempts import sender
from allocator.execution.entries import Place
from allocator.execution.run import Shell
from allocator.execution.together import together
from allocator.execution.transitions import OPEN_STATES, State
from allocator.models.base import ONE, ZERO
from allocator.models.intents import Ack, OrderIntent, Outcome
from allocator.ports import DeadMan, Venue
from allocator.risk import table
from allocator.risk.control import Refusal

ARMED, DISARMED = "armed", "disarmed"
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""When a switch was set of which that is not known: it is due to be set anew."""


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

    def must_arm(self, account: str) -> bool:
        """Tell whether a switch has to be set before an order may rest.

        Venues without such a switch, and a configuration that does not ask for it, need none; nor
        is one set again that was set a moment ago.
        """
        wanted = self._shell.controls.dead_man_s is not None
        return wanted and _has_switch(self._shell.venue(account)) and self._is_due(account)

    async def arm(self, place: Place, intent: OrderIntent) -> bool:
        """Tell the venue to cancel everything should we fall silent; False: it would not."""
        if isinstance(await self._set(intent.account), Ack):
            return True
        refusal = Refusal(table.DEAD_MAN, intent.account, ONE, ZERO)
        self._journal.refuse(place, intent, [refusal])
        return False

    async def keep(self, intent: OrderIntent) -> None:
        """Tell the venue of a resting order again once a third of the time is over."""
        account, asked_for = intent.account, self._shell.controls.dead_man_s is not None
        if not asked_for or account not in self._shell.armed or intent.style != "post_only":
            return
        if self._is_due(account):
            await self._set(account)

    async def renew(self, account: str) -> None:
        """Tell the venue again in time where nothing rests just now, if the switch is set."""
        if account in self._known():
            await self._renew(account)

    async def renew_all(self) -> None:
        """Tell again in time every venue whose switch is set and where nothing of ours stands.

        Whether what stands is to be kept is for whoever follows it to say: a switch that strikes
        is one more way to be rid of it.
        """
        due = [account for account in self._known() if self._is_due(account)]
        if due:
            standing = self._standing()
            await together(self._renew(account) for account in due if account not in standing)

    def next_s(self) -> float:
        """Tell in how many seconds the first of the switches is due."""
        now = self._shell.clock.now()
        due = [self._due_at(account) for account in self._known()]
        return min(((at - now).total_seconds() for at in due), default=math.inf)

    async def _renew(self, account: str) -> None:
        if self._is_due(account) and not isinstance(await self._set(account), Ack):
            # Asked anew at each request that takes, it would hold up every one.
            self._shell.armed[account] = LONG_AGO

    def _known(self) -> tuple[str, ...]:
        """Name the accounts whose switch was set at a known time."""
        return tuple(name for name, at in self._shell.armed.items() if at != LONG_AGO)

    async def take_back(self) -> None:
        """Take back every switch that nothing needs: where no order may stand in the market.

        All are asked at once, so that dead venues take the time of one. Those that do not answer
        keep their switches, which then find nothing to cancel, and are asked again the next time.
        """
        await self._take_back(tuple(self._shell.armed))

    async def leave(self, but: Collection[str]) -> None:
        """Take back the switches of accounts that a plan is done with for now, all but some.

        A switch that ran out while we go on elsewhere would cancel what somebody has placed there
        by hand. Who was asked in vain is asked again at the end: he would hold up every step.
        """
        await self._take_back([name for name in self._known() if name not in but])

    async def _take_back(self, names: Sequence[str]) -> None:
        if not names:
            return
        standing = self._standing()
        accounts = [name for name in names if name not in standing]
        outcomes = await together(self._tell(name, 0) for name in accounts)
        for account, outcome in zip(accounts, outcomes, strict=True):
            if isinstance(outcome, Ack):
                del self._shell.armed[account]
                self._journal.note(_subject(account), DISARMED)
            else:
                self._shell.armed[account] = LONG_AGO

    def _standing(self) -> Collection[str]:
        rows = self._journal.history.with_state(*sorted(OPEN_STATES), State.MANUAL)
        return {sender(row.intent) for row in rows if isinstance(row.intent, OrderIntent)}

    def _asked_s(self, account: str) -> int:
        """Tell what is asked of a venue, seconds: what is configured, or its least."""
        seconds = self._shell.controls.dead_man_s
        assert seconds is not None
        least = self._shell.venue(account).capabilities.dead_man_s or ZERO
        return int(max(seconds, least))

    def _is_due(self, account: str) -> bool:
        """Whether a switch is to be set: never set, or a third of its time may be over."""
        due = self._shell.clock.now() >= self._due_at(account)
        return due and account not in self._shell.asking

    def _due_at(self, account: str) -> datetime:
        """Tell when a switch is due; a clock that is set back adds at most another third.

        By as much as it was set back, if that is less than the time since the switch was set; else
        the switch was set in the future, of which nobody can tell, and is due at once.
        """
        armed, now = self._shell.armed.get(account, LONG_AGO), self._shell.clock.now()
        return now if armed > now else armed + timedelta(seconds=self._asked_s(account) / 3)

    async def _set(self, account: str) -> Outcome:
        asked, began = self._asked_s(account), self._shell.clock.now()
        if account not in self._shell.armed:
            self._journal.note(_subject(account), ARMED, seconds=asked)
            self._shell.armed[account] = LONG_AGO
        self._shell.asking.add(account)
        try:
            outcome = await self._tell(account, asked)
        finally:
            self._shell.asking.discard(account)
        if isinstance(outcome, Ack):
            # It may have counted from when it was asked; one that did not answer stays due.
            self._shell.armed[account] = began
        return outcome

    async def _tell(self, account: str, seconds: int) -> Outcome:
        venue = self._shell.venue(account)
        assert isinstance(venue, DeadMan)
        # A switch that is set anew is not written down: nothing else would stop an earlier leader.
        self._journal.check_lead()
        # Counted as a venue counts it, so that orders make room for it; never held back for them.
        self._shell.recent.message((account,), self._shell.clock.now(), written=False)
        return await answer(self._shell, venue, venue.cancel_after(seconds))


def _has_switch(venue: Venue) -> bool:
    return venue.capabilities.dead_man_s is not None and isinstance(venue, DeadMan)


def _subject(account: str) -> str:
    return f"switch:{account}"
