"""The highest equity of a book in the money that it has now; pure.

Money that comes from outside makes no new peak, and money that leaves no drawdown: what the equity
was before is counted with it, or without it. When people told of it is known; when it came is not,
but the equity jumped by about as much then. So the readings of the last day are kept as a few
stretches between its greatest jumps, each with its own highest equity, and what is told moves those
before its jump. What was not seen yet waits for it, for a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pydantic import model_validator

from allocator.models.base import ZERO, Num, Utc, Value

MOST_STRETCHES: Final = 16
"""Stretches of a day that are kept apart."""

DAY: Final = timedelta(days=1)
"""How far apart a jump and what people tell of it may be."""

ALIKE: Final = Decimal("0.25")
"""By which part of an amount a jump may differ from it: prices move meanwhile."""

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Stretch(Value):
    """Readings of the book without a great jump among them.

    Attributes
    ----------
    began
        The time of its first reading.
    jump
        By how much equity changed as it began, without what people told came then.
    """

    began: Utc = EVER
    jump: Num = ZERO
    highest: Num


class Waiting(Value):
    """What was told and not seen yet, numeraire (negative: left), and when it was told."""

    amount: Num
    at: Utc = EVER

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_release(cls, told: Any) -> Any:
        """Read an amount alone: so it was kept before."""
        return {"amount": told} if isinstance(told, str) else told


class Peak(Value):
    """The last day's stretches, of which the first stands for all that was before."""

    stretches: tuple[Stretch, ...] = ()
    pending: tuple[Waiting, ...] = ()

    @classmethod
    def of(cls, highest: Decimal | None) -> Peak:
        """Go on from a highest equity alone."""
        return cls() if highest is None else cls(stretches=(Stretch(highest=highest),))

    @property
    def highest(self) -> Decimal | None:
        """The highest of all stretches; None: nothing was read."""
        return max((row.highest for row in self.stretches), default=None)

    @property
    def known(self) -> Decimal | None:
        """The highest, without what is told to have left and was not seen to leave.

        It may have left with something else, or in parts.
        """
        left = sum((row.amount for row in self.pending if row.amount < 0), ZERO)
        return None if self.highest is None else self.highest + left

    def read(self, worth: Decimal, jump: Decimal, at: datetime) -> Peak:
        """Take in a reading of the whole book, and by how much it differs from the last one."""
        rows = [*self.stretches, Stretch(began=at, jump=jump, highest=worth)]
        while len(rows) > MOST_STRETCHES:
            least = min(range(1, len(rows)), key=lambda number: abs(rows[number].jump))
            rows[least - 1 : least + 1] = [_joined(rows[least - 1], rows[least])]
        return self._telling(tuple(rows), self.pending)

    def told(self, amount: Decimal, at: datetime) -> Peak:
        """Take in what people told came from outside (negative: left), numeraire."""
        back = next((row for row in self.pending if row.amount == -amount), None)
        if back is not None:
            # It takes back what was told.
            rest = list(self.pending)
            rest.remove(back)
            return self.model_copy(update={"pending": tuple(rest)})
        return self._telling(self.stretches, (*self.pending, Waiting(amount=amount, at=at)))

    def moved(self, by: Decimal) -> Peak:
        """Move every stretch: the book has more or less in it for good."""
        return self.model_copy(update={"stretches": _moved(self.stretches, by)})

    def aged(self, now: datetime) -> Peak:
        """Keep what was read more than a day ago as one, and wait no longer for what was told then.

        What was not seen to come by one jump came in parts: what was highest a day ago lacks it. Of
        what left it is not known which of the readings had it still. A time of the future was told
        by a clock that was ahead.
        """
        began = [row.model_copy(update={"began": min(row.began, now)}) for row in self.stretches]
        while len(began) > 1 and began[1].began <= now - DAY:
            began[:2] = [_joined(*began[:2])]
        told = [row.model_copy(update={"at": min(row.at, now)}) for row in self.pending]
        over = [row.amount for row in told if row.at <= now - DAY]
        came = sum((amount for amount in over if amount > 0), ZERO)
        left = sum((amount for amount in over if amount < 0), ZERO)
        rows = (*_moved(began[:1], came), *began[1:])
        rest = tuple(row for row in told if row.at > now - DAY)
        return Peak(stretches=_moved(rows, left), pending=rest)

    def _telling(self, rows: tuple[Stretch, ...], told: Iterable[Waiting]) -> Peak:
        """Move what came before each amount that is seen among the jumps; the rest waits."""
        pending = list[Waiting]()
        for row in told:
            # Of jumps that are as near the latest: what people tell of is mostly just over.
            jumps = reversed(range(1, len(rows)))
            away = {number: abs(rows[number].jump - row.amount) for number in jumps}
            seen = min(away, key=away.__getitem__, default=0)
            if seen and away[seen] <= abs(row.amount) * ALIKE:
                rest = rows[seen].jump - row.amount
                at = rows[seen].model_copy(update={"jump": rest})
                rows = (*_moved(rows[:seen], row.amount), at, *rows[seen + 1 :])
            else:
                pending.append(row)
        return Peak(stretches=rows, pending=tuple(pending))


def _joined(first: Stretch, second: Stretch) -> Stretch:
    return first.model_copy(update={"highest": max(first.highest, second.highest)})


def _moved(rows: Iterable[Stretch], by: Decimal) -> tuple[Stretch, ...]:
    return tuple(row.model_copy(update={"highest": row.highest + by}) for row in rows)
