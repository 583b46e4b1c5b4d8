"""Marks the book, keeps the marks, and lets triggers ask for cycles."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from allocator.execution.leader import Lease
from allocator.models.base import ZERO
from allocator.models.errors import InputError
from allocator.models.mandate import Mandate
from allocator.models.service import TriggerRule
from allocator.models.snapshot import Snapshot
from allocator.models.status import VenueStatus
from allocator.risk.triggers import Firing, Key, Line, Observation, rearm, watch
from allocator.service.monitor.base import Bases
from allocator.service.monitor.flows import NOWHERE, Ledger, Places
from allocator.service.monitor.history import MarkStore
from allocator.service.monitor.lines import Lines
from allocator.service.monitor.marks import Marks, bare, marks_of, worth_of
from allocator.service.monitor.memory import Heard
from allocator.service.monitor.observed import drawdown, observation
from allocator.service.monitor.outcomes import Lost, Outcomes
from allocator.service.monitor.profit import OUTSIDE, Flows, Moment, Profit, moment, profit
from allocator.service.monitor.resting import Tries, anew, fired, looked, news, rests
from allocator.service.repairs import broken
from allocator.service.states import States, Tell
from allocator.state import Book

log = logging.getLogger(__name__)

ANY = datetime(1970, 1, 1, tzinfo=UTC)
"""In the place of the time of a book that is held against another."""

Ground = tuple[Mandate | None, frozenset[tuple[str, datetime]]]
"""What repairs stand on: the mandate, and which halts are over."""

MOST_UNREAD = 3
"""Looks in a row from which on people hear that an account is not read: it may be for a moment."""

MOST_NAMED = 5
"""Files that an alert names."""


class Monitor:
    """Turns snapshots into marks, profit and firings.

    Parameters
    ----------
    venues
        By account.
    fired
        Told of what fired, after it was written down.
    tell
        Leaves an alert: topic and facts.
    outcomes
        Tells which firings of urgent triggers came to nothing; None: that is not followed.
    believed
        Tells whether the clock is believed: while it is not, nothing is dropped, nothing is
        said to have come too late, and no day's profit begins anew.
    """

    def __init__(  # noqa: PLR0913 - its ports
        self,
        store: MarkStore,
        ledger: Ledger,
        lines: Lines,
        lease: Lease,
        rules: Sequence[TriggerRule],
        *,
        bases: Bases,
        venues: Mapping[str, str],
        keep_days: int,
        fired: Callable[[Sequence[Firing]], None],
        tell: Tell = lambda _topic, _facts: None,
        outcomes: Outcomes | None = None,
        believed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._lines = lines
        self._lease = lease
        self._rules = tuple(rules)
        self._venues = dict(venues)
        self._keep_days = keep_days
        self._fired = fired
        self._states = States(tell)
        self._outcomes = outcomes
        self._believed = believed
        self._tidied_on: date | None = None
        self._bases = bases
        self._base = bases.read()
        self._read_at = dict[str, datetime]()
        self._known: Mapping[str, Flows] | None = None
        self._moving = set[str]()
        self._places = NOWHERE
        # For how many looks in a row each account was not read.
        self._unread = Counter[str]()
        # What accounts earned that are not at rest: it is in no mark yet.
        self._at_work = dict[str, Decimal]()
        # What urgent triggers saw of funding last, and the others, which rest during a cycle.
        self._rates = lines.memory.rates()
        self._tries: Tries = {}
        self._ground: Ground = (None, frozenset())
        self._reckoned: tuple[tuple[Snapshot, Mandate], bool] | None = None
        self.latest: Marks | None = None

    def before_reading(self) -> None:
        """Note what has gone through the accounts, just before they are read."""
        self._known = self._ledger.read()
        self._moving = self._ledger.unsettled()

    def take(  # noqa: PLR0913 - what a reading tells
        self,
        snapshot: Snapshot,
        mandate: Mandate | None,
        missing: Mapping[str, str],
        *,
        statuses: Mapping[str, VenueStatus] | None = None,
        places: Places = NOWHERE,
        busy: bool = False,
    ) -> tuple[Firing, ...]:
        """Take in what was gathered; tell what fired.

        Parameters
        ----------
        mandate
            None: there is none that can be read; then exposures and limits are not watched.
        missing
            Accounts that could not be read, with what was not.
        statuses
            How venues say that they stand.
        places
            Where transfers are that have no end in the record.
        busy
            Whether a cycle is under way: then only urgent triggers are looked at, since the
            others watch figures that the cycle is about to change.

        Raises
        ------
        FencedError
            When another leads by now.
        """
        marks = marks_of(snapshot, mandate, missing, statuses)
        book, self._places = bare(snapshot), places
        self._base = self._base.of(self._venues.keys() | book.accounts.keys() | missing.keys())
        earned = self._earn(book, missing)
        doubt = worth_of(book, self._ledger.in_doubt(places))
        marks = marks.model_copy(update={"in_doubt": doubt})
        sure = {name: v for name, v in self._at_work.items() if not self._ledger.sends(name)}
        self._base = self._base.after(marks.at, earned, sure, believed=self._believed())
        if marks.whole and self._ledger.clear():
            # A peak of what was counted twice would never be reached again.
            self._base = self._base.risen(
                {row.account: row.equity + row.on_its_way for row in marks.accounts},
                marks.equity or ZERO,
                marks.at,
            )
        told = self._bases.told(self._base)
        self._base = self._base.without(told, marks.at, believed=self._believed())
        self._bases.keep(self._lease, self._base, marks.at)
        self.latest = marks
        firings = self._watch(marks, snapshot, mandate, busy=busy)
        self._states.take("mandate_unfit", marks.unfit, why=marks.unfit)
        self._tell_unread(marks.unread)
        unknown = "; ".join(f"{name}: {why}" for name, why in marks.margin_unknown.items())
        self._states.take("margin_unknown", unknown, why=unknown)
        self._write(marks)
        return firings

    def _tell_unread(self, unread: Mapping[str, str]) -> None:
        """Alert of accounts that no trigger watches, once they were not read for a few looks."""
        self._unread = Counter({name: self._unread[name] + 1 for name in unread})
        long = sorted(name for name, times in self._unread.items() if times >= MOST_UNREAD)
        why = "; ".join(f"{name}: {unread[name]}" for name in long)
        # Why may have times in it: who it is makes it news.
        self._states.take("accounts_unread", ", ".join(long), why=why)

    def _earn(self, book: Book, missing: Mapping[str, str]) -> dict[str, Profit]:
        """Reckon what accounts earned since they were last at rest.

        An account through which something went while it was read, or goes still, is left for
        the next mark: nobody can say whether its wallets show it already. What it has earned until
        now is told to triggers all the same, for it may be at work, or wait for a person, for long:
        without what it may have sent, so that no transfer is taken for a loss.
        """
        flows, out, moments = self._ledger.read(), dict[str, Profit](), dict[str, Moment]()
        known = flows if self._known is None else self._known
        moving = self._moving | self._ledger.unsettled()
        moving |= {name for name in flows if flows[name] != known.get(name)}
        self._at_work = {}
        for name in book.accounts.keys() - missing.keys():
            now = moment(book, name, flows.get(name, Flows()))
            before = self._base.moments.get(name)
            if before is not None:
                # Where the clock was put back no time has passed, but what was earned was.
                out[name] = profit(before.model_copy(update={"at": min(before.at, now.at)}), now)
            if name not in moving:
                moments[name] = now
            elif name in out:
                doubtful = worth_of(book, self._ledger.doubtful(name, self._places))
                self._at_work[name] = out.pop(name).total + doubtful
        self._base = self._base.owing(out, moments)
        return out

    def _watch(
        self, marks: Marks, snapshot: Snapshot, mandate: Mandate | None, *, busy: bool
    ) -> tuple[Firing, ...]:
        """Look at the triggers of either kind, each beside the rates that it saw last."""
        known, looking = self._lines.read(), (True,) if busy else (True, False)
        seen = {urgent: self._seen(marks, urgent=urgent) for urgent in looking}
        ground = self._stands_on(mandate)
        tries = self._tries if ground == self._ground else anew(self._tries)
        lost = self._lost(known, seen[True])
        tries = looked(tries, lost, self._of_kind(urgent=True), known, seen[True])
        lost = self._wanted(lost, tries, lambda: self._is_broken(snapshot, mandate))
        after, firings = rearm(known, [row.key for row in lost]), tuple[Firing, ...]()
        for urgent in looking:
            after, found = watch(self._of_kind(urgent=urgent), after, seen[urgent], rests(tries))
            firings += found
        rates = {urgent: {**self._rates[urgent], **marks.funding} for urgent in looking}
        changed = {urgent: row for urgent, row in rates.items() if row != self._rates[urgent]}
        heard = Heard(marks.statuses, changed)
        alerts = [row.alert for row in lost if row.alert is not None]
        told = news(firings, tries, known, after)
        self._lines.keep(self._lease, known, after, firings, marks.at, heard, alerts, told)
        self._rates |= rates
        self._tries, self._ground = fired(tries, told), ground
        if firings:
            self._fired(firings)
        return firings

    def _seen(self, marks: Marks, *, urgent: bool) -> Observation:
        return observation(
            marks,
            rates=self._rates[urgent],
            day_start=self._base.today(self._at_work),
            fallen=drawdown(marks.equity, self._peak(marks), marks.under_way),
            venue_ages_s=self._ages(marks),
        )

    def _peak(self, marks: Marks) -> Decimal | None:
        """Tell the peak of these accounts; None: it is of others, and not known yet of these."""
        same = set(self._base.members) == {row.account for row in marks.accounts}
        return self._base.peak if same else None

    def _of_kind(self, *, urgent: bool) -> tuple[TriggerRule, ...]:
        return tuple(row for row in self._rules if row.urgent == urgent)

    def _stands_on(self, mandate: Mandate | None) -> Ground:
        """Tell what repairs stand on; what cannot be told is as it was."""
        before, resumed = self._ground
        if self._outcomes is not None:
            try:
                resumed = self._outcomes.resumed()
            except Exception:
                log.exception("which halts are over cannot be told")
        return (before if mandate is None else mandate), resumed

    def _lost(self, known: Mapping[Key, Line], seen: Observation) -> tuple[Lost, ...]:
        """Tell which firings did not mend what they fired on, and it has not come back by itself.

        What cannot be told must not silence the rest.
        """
        if self._outcomes is None or not self._believed():
            return ()
        try:
            rows = tuple(self._outcomes.lost(self._rules, known, seen.at))
        except Exception:
            log.exception("what triggers have started cannot be told")
            return ()
        if rows:
            waits, _ = watch(self._of_kind(urgent=True), known, seen)
            rows = tuple(row for row in rows if not waits[row.key].armed)
        return rows

    def _wanted(
        self, lost: tuple[Lost, ...], tries: Tries, broken: Callable[[], bool]
    ) -> tuple[Lost, ...]:
        """Pick what is to be tried again.

        What found nothing broken, or mended all of it, asks for no more until something is broken
        again, or the figure is clearly graver.
        """
        worse = {key for key, row in tries.items() if row.worse}
        idle = [row for row in lost if row.idle and row.key not in worse]
        try:
            asked = bool(idle) and broken()
        except Exception:
            log.exception("whether something is broken cannot be told")
            asked = False
        if not asked:
            lost = tuple(row for row in lost if row not in idle)
        for row in lost:
            told = {"trigger": row.key, "plan": row.plan, "why": row.why}
            log.warning("an urgent repair did not mend it: it is tried again", extra=told)
        return lost

    def _is_broken(self, snapshot: Snapshot, mandate: Mandate | None) -> bool:
        """Tell whether there is something to repair; a mandate that does not fit tells none.

        It is reckoned once for the same book, whatever time that was read at.
        """
        if mandate is None:
            return False
        asked = snapshot.model_copy(update={"as_of": ANY}), mandate
        if self._reckoned is None or self._reckoned[0] != asked:
            try:
                self._reckoned = asked, broken(snapshot, mandate)
            except InputError:
                self._reckoned = asked, False
        return self._reckoned[1]

    def _ages(self, marks: Marks) -> dict[str, Decimal]:
        """Tell how long ago each venue was last read whole, seconds; 0 at the first look."""
        broken = {self._venues[name] for name in marks.unread if name in self._venues}
        for venue in set(self._venues.values()):
            # A time of the future was told by a clock that was ahead: it must not hide a silence.
            if venue not in broken or self._read_at.get(venue, marks.at) >= marks.at:
                self._read_at[venue] = marks.at
        return {
            venue: Decimal(str((marks.at - at).total_seconds()))
            for venue, at in self._read_at.items()
        }

    def _write(self, marks: Marks) -> None:
        """Keep the marks as history: what goes wrong there stands in the way of nothing."""
        fault, why = "", ""
        try:
            self._store.write(marks, self._base.owed)
            self._base = self._base.paid([OUTSIDE, *(row.account for row in marks.accounts)])
            if self._tidied_on != marks.at.date() and self._believed():
                self._tidy(marks)
        except Exception as error:
            log.exception("marks were not kept")
            # A message may name a file, and each mark has its own.
            fault = f"{type(error).__name__} {getattr(error, 'errno', '')}"
            why = f"{type(error).__name__}: {error}"
        self._states.take("history_failed", fault, folder=str(self._store.folder), why=why)

    def _tidy(self, marks: Marks) -> None:
        """Tidy the history, once a day; the first time only what drops nothing.

        A machine may start with a wrong clock, and has no other to hold it against.
        """
        first, self._tidied_on = self._tidied_on is None, marks.at.date()
        done = self._store.tidy(marks.at, None if first else self._keep_days)
        log.info("history tidied", extra={"joined": done.joined, "dropped": done.dropped})
        if done.aside:
            named = ", ".join(done.aside[:MOST_NAMED])
            why = f"{len(done.aside)} files could not be read and were set aside: {named}"
            self._states.take("history_set_aside", why, folder=str(self._store.folder), why=why)
