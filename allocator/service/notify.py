"""Alerts to people: one digest for whatever is waiting, nothing told twice, a dead man's alert."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from allocator.execution.recorded import Alert
from allocator.models.base import stamp
from allocator.models.canonical import canonical_json
from allocator.models.errors import StaleError
from allocator.models.service import AlertConfig
from allocator.service.outbox import Folded, Outbox
from allocator.service.telemetry import Redactor
from allocator.service.threads import to_its_end

log = logging.getLogger(__name__)

MOST_IN_A_DIGEST = 50
OLD = timedelta(days=1)
"""Of what has waited for longer only one line is told, where it is more than a digest holds: it has
mostly passed, and would keep people from what is so now."""

PATIENCE = timedelta(seconds=60)
MOST_TRIES = 12
"""How often in a row an address that takes no alert is tried, where another took it: about a
minute."""
MOST_TRIED = 20
"""Alerts under trial that are remembered."""

NOBODY = "no address is configured: alerts are only logged"

STUCK = "no instance can lead"
BREAKING = "leads break off"

WORDS = {
    "approval_wanted": "a plan waits for approval",
    "approval_expired": "nobody let an urgent plan go in time",
    "repair_unavailing": "an urgent repair did not mend what it was for: it is tried again",
    "slot_failed": "a cycle failed",
    "slots_missed": "slots were missed",
    "trigger": "a trigger fired",
    "manual": "an outcome is unknown: an operator has to look",
    "frozen": "an account stands still",
    "thawed": "an account may act again",
    "halted": "trading is halted",
    "reducing": "only reductions may go",
    "cycle_superseded": "a plan was given up",
    "cycle_failed": "a cycle failed",
    "resumed": "trading was resumed",
    "refused": "controls have blocked a request",
    "paid": "money is said to have come from outside, or to have left",
    "paid_told": "money is said to have left: somebody else has to tell the same",
    "mandate_draft": "the configuration's mandate changed: a draft waits to be published",
    "drafts_dropped": "drafts of the mandate that nobody published were dropped",
    "mandate_unreadable": "the mandate that holds cannot be read: nothing is planned under it",
    "history_failed": "marks are not kept: the history has a gap",
    "history_set_aside": "marks could not be read",
    "mandate_unfit": "the mandate does not fit the book: exposures or limits are not watched",
    "accounts_unread": "accounts cannot be read: no trigger watches their margin, nor the book's "
    "profit and drawdown",
    "margin_unknown": "the margin of an account cannot be reckoned, so no trigger tells when it is "
    "short: watch it at the venue",
    "limit_unknown": "a trigger watches no limit of the book: it never fires",
    "look_failed": "the book cannot be marked: triggers are not watched",
    "slot_hangs": "a slot hangs: none after it begins",
    "clock_set": "the clock was set: no slot falls due or begins until it has stood "
    "for two minutes, a repair only where the venues' clocks agree with it",
    "mandate_published": "another mandate holds",
    "schedule_paused": "a schedule was paused",
    "dead_man": "the scheduler has not ticked",
    "test": "a test",
}

STATES = frozenset(
    {"frozen", "thawed", "halted", "reducing", "resumed", "manual", "schedule_paused", "paid"}
)
"""Topics that tell a change of state: each is told, however like an earlier one it reads. Between
two halts somebody has resumed, so the second is news; and who tells twice of the same amount has
moved twice what a day's loss is counted from."""

SAME = {
    "slots_missed": ("cause",),
    "slot_failed": ("of", "why"),
    "repair_unavailing": ("trigger", "of", "why"),
}
"""Facts by which an alert is the same as another, of topics whose other facts are of one time."""

COUNTED = {"slots_missed": "slots"}
"""The fact that counts, of topics whose alerts stand for one another."""

Send = Callable[[str, str], bool]
"""Sends title and text; tells whether it got through to everybody."""


def apprise_sender(urls: Sequence[str]) -> Send:
    """Send by apprise: mail, Slack, Telegram, webhooks and what else it knows.

    Raises
    ------
    StaleError
        When an address cannot be used; it is not shown, since it holds a token.
    """
    import apprise

    boxes = list[Any]()
    for number, url in enumerate(urls, 1):
        box = apprise.Apprise()
        with _unheard():
            taken = box.add(url)
        if not taken:
            raise StaleError(f"alert address {number} of {len(urls)} is not one that apprise knows")
        boxes.append(box)
    return Addresses([_sender(box) for box in boxes]) if boxes else lambda _title, _text: False


@contextmanager
def _unheard() -> Generator[None]:
    """Keep apprise's own log still: of an address that it does not take it tells the token."""
    logger = logging.getLogger("apprise")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


def _sender(box: Any) -> Send:
    return lambda title, text: bool(box.notify(body=text, title=title))


class Addresses:
    """Sends to several addresses, to each what it has not got yet.

    An address that takes nothing is tried again for a while. After that no digest waits for it
    that another has taken: it must neither repeat an alert to the others nor hold back those that
    follow.
    """

    def __init__(self, sends: Sequence[Send]) -> None:
        self._sends = tuple(sends)
        self._got = OrderedDict[tuple[str, str], set[int]]()
        # How often in a row each took nothing, whatever it was: what waits grows meanwhile, and is
        # another text each time.
        self._failed = Counter[int]()

    def __call__(self, title: str, text: str) -> bool:
        """Send; tell whether it is not to be tried again."""
        got = self._got.pop((title, text), set[int]())
        for number, send in enumerate(self._sends, 1):
            if number in got:
                continue
            if _took(send, title, text):
                got.add(number)
                self._failed[number] = 0
            else:
                self._failed[number] += 1
        missing = [n for n in range(1, len(self._sends) + 1) if n not in got]
        if not missing:
            return True
        log.error("alert was not taken", extra={"addresses": missing, "of": len(self._sends)})
        if got and all(self._failed[number] >= MOST_TRIES for number in missing):
            return True
        self._got[title, text] = got
        while len(self._got) > MOST_TRIED:
            self._got.popitem(last=False)
        return False


def _took(send: Send, title: str, text: str) -> bool:
    try:
        return send(title, text)
    except Exception:
        log.exception("alert could not be sent")
        return False


class Notifier:
    """Delivers what stands in the outbox.

    Parameters
    ----------
    send
        None: there is no address. Alerts are logged, once an instance, and go on waiting: nobody
        was told of them.
    """

    def __init__(
        self, outbox: Outbox, config: AlertConfig, send: Send | None, redactor: Redactor, name: str
    ) -> None:
        self._outbox = outbox
        self._config = config
        self._send = send
        self._redactor = redactor
        self._name = name
        self._told = dict[str, datetime]()
        self._untold = Counter[str]()
        self._dead_since: datetime | None = None
        self._standing = set[str]()
        self._logged: int | None = None
        # As it is tried again it reads the same, so that nobody who took it gets it twice.
        self._folded: Folded | None = None

    async def deliver(
        self, now: datetime, *, between_runs: bool = True, believed: bool = True
    ) -> int:
        """Tell what waits in one digest; returns how many alerts it named.

        Parameters
        ----------
        between_runs
            Whether no run is under way: else only what has waited for a while is told, so that
            a run comes to one digest and yet nothing stays untold for long.
        believed
            Whether the clock is: else nothing is folded as old.
        """
        if self._send is None:
            return self._log(await to_its_end(self._unlogged))
        waiting = await to_its_end(self._waiting, now if believed else None)
        old = self._folded
        if not between_runs and not any(now - row.at > PATIENCE for row in waiting) and old is None:
            return 0
        fresh = self._fresh(waiting, now)
        untold = self._untold + Counter[str]()
        for row in waiting:
            if row not in fresh:
                untold[_key(row)] += _count(row)
        told = [_besides(row, untold.pop(_key(row), 0)) for row in fresh]
        if (told or old is not None) and not await self._tell(*self._digest(told, old)):
            return 0
        self._untold, self._folded = untold, None
        self._remember(fresh, now)
        await to_its_end(self._outbox.told, waiting, old)
        return len(fresh)

    def _waiting(self, now: datetime | None) -> list[Alert]:
        """Read what comes into the next digest, changes of state before the rest.

        None: nobody knows the time, so nothing is old.
        """
        if self._folded is None and now is not None:
            self._folded = self._outbox.fold(now - OLD, STATES, MOST_IN_A_DIGEST // 2)
        old = self._folded
        if old is None:
            return list(self._outbox.first(STATES, 0, MOST_IN_A_DIGEST))
        rest = MOST_IN_A_DIGEST - len(old.chosen)
        return [*old.chosen, *self._outbox.first(STATES, old.last, rest)]

    def _digest(self, told: Sequence[Alert], old: Folded | None) -> tuple[str, str]:
        """Write title and text."""
        head, text = title(self._name, told), digest(told)
        if old is None:
            return head, text
        line = f"{old.count} alerts since {stamp(old.since)}, see the audit"
        if not told:
            return f"{self._name}: {line}", line
        return f"{head}; and older ones", f"{text}\n{line}"

    def _unlogged(self) -> Sequence[Alert]:
        """Read what was not logged yet; at first the latest, however many wait."""
        if self._logged is None:
            return self._outbox.latest(MOST_IN_A_DIGEST)
        return self._outbox.after(self._logged, MOST_IN_A_DIGEST)

    def _fresh(self, waiting: Sequence[Alert], now: datetime) -> list[Alert]:
        """Pick what is news: of those that are the same the latest, unless it was told of late."""
        latest = {_key(row): row.id for row in waiting}
        return [
            row for row in waiting if row.id == latest[_key(row)] and self._is_new(_key(row), now)
        ]

    def _remember(self, told: Sequence[Alert], now: datetime) -> None:
        kept = {key: at for key, at in self._told.items() if not self._is_over(at, now)}
        self._told = kept | {_key(row): now for row in told if row.topic not in STATES}

    def _log(self, fresh: Sequence[Alert]) -> int:
        """Log alerts that were not logged yet; they stay undelivered."""
        self._logged = fresh[-1].id if fresh else self._logged or 0
        if fresh:
            head, text = title(self._name, fresh), digest(fresh)
            words = {"title": self._redactor.text(head), "text": self._redactor.text(text)}
            log.warning("alert, only logged: %s", NOBODY, extra=words)
        return len(fresh)

    async def watch(self, last_tick: datetime | None, started: datetime, now: datetime) -> bool:
        """Tell everybody once that the scheduler has stopped ticking, and once that it goes on."""
        silent = now - (last_tick or started)
        dead = silent > timedelta(seconds=float(self._config.dead_man_s))
        if dead and self._dead_since is None:
            words = f"no tick since {stamp(last_tick or started)}"
            if await self._tell(f"{self._name}: {WORDS['dead_man']}", words):
                self._dead_since = now
        over = not dead and self._dead_since is not None
        if over and await self._tell(f"{self._name}: the scheduler ticks again", "all is well"):
            self._dead_since = None
        return dead

    async def stuck(self, why: str) -> None:
        """Tell everybody once that nobody can lead, and once that it is over; empty: it is well.

        Nothing that waits in the outbox is delivered then: only a leader does so.
        """
        await self._stands(STUCK, why)

    async def breaking(self, why: str) -> None:
        """Tell everybody once that leads break off, and once that it is over; empty: it is well.

        A lead that breaks off may end before it has delivered anything.
        """
        await self._stands(BREAKING, why)

    async def _stands(self, what: str, why: str) -> None:
        head = f"{self._name}: {what}"
        if why and what not in self._standing and await self._tell(head, why):
            self._standing.add(what)
        over = not why and what in self._standing
        if over and await self._tell(f"{head}: that is over", "all is well"):
            self._standing.remove(what)

    async def test(self) -> bool:
        """Send a test to everybody."""
        return await self._tell(f"{self._name}: a test", "If you read this, alerts arrive.")

    def _is_new(self, key: str, now: datetime) -> bool:
        last = self._told.get(key)
        return last is None or self._is_over(last, now)

    def _is_over(self, told: datetime, now: datetime) -> bool:
        """Whether an alert that was told then may be told again.

        A time of the future was told by a clock that was ahead: it must not silence what comes.
        """
        return told > now or now - told >= timedelta(seconds=float(self._config.repeat_s))

    async def _tell(self, head: str, text: str) -> bool:
        head, text = self._redactor.text(head), self._redactor.text(text)
        if self._send is None:
            log.warning("alert", extra={"title": head, "text": text})
            return True
        try:
            sent = await asyncio.to_thread(self._send, head, text)
        except Exception:
            log.exception("alert could not be sent")
            return False
        if not sent:
            log.error("alert did not get through to everybody; it is tried again")
        return sent


def title(name: str, rows: Sequence[Alert]) -> str:
    """Name what it is about in one line."""
    topics = list(dict.fromkeys(WORDS.get(row.topic, row.topic) for row in rows))
    return f"{name}: {'; '.join(topics[:3])}" + ("; and more" if len(topics) > 3 else "")


def digest(rows: Sequence[Alert]) -> str:
    """Write all alerts into one text, the oldest first."""
    return "\n".join(
        f"{row.at:%Y-%m-%d %H:%M:%S} UTC  {WORDS.get(row.topic, row.topic)}: {_facts(row.body)}"
        for row in rows
    )


def _facts(body: Any) -> str:
    if not isinstance(body, dict):
        return json.dumps(body)
    return ", ".join(f"{key} {value}" for key, value in body.items())


def _count(row: Alert) -> int:
    """Tell how many an alert counts, of topics that count; else nothing."""
    fact = COUNTED.get(row.topic)
    return 0 if fact is None else int(row.body.get(fact, 1))


def _besides(row: Alert, untold: int) -> Alert:
    """Say in an alert how many were not told since the one before."""
    return replace(row, body={**row.body, "untold_before": untold}) if untold else row


def _key(row: Alert) -> str:
    """Name what makes an alert the same as another; a change of state is only ever itself."""
    if row.topic in STATES:
        return f"{row.topic} {row.id}"
    facts = SAME.get(row.topic)
    body = row.body if facts is None else {name: row.body.get(name) for name in facts}
    return f"{row.topic} {canonical_json(body)}"
