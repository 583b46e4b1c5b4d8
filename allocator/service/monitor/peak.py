"""The highest equity of a book in the money that it has now; pure.

Money that comes from outside makes no new peak, and money that leaves no drawdown: what the equity
was before is counted with it, or without it. When it came nobody tells, but the equity jumped by
about as much then. So the day is kept as a few stretches between its greatest jumps, each with its
own highest equity; what is told moves those before its jump. What was not seen yet waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from allocator.models.base import ZERO, Num, Value

MOST_STRETCHES: Final = 16
"""Stretches of a day that are kept apart."""

ALIKE: Final = Decimal("0.25")
"""By which part of an amount a jump may differ from it: prices move meanwhile."""


class Stretch(Value):
    """Readings of the book without a great jump among them.

    Attributes
    ----------
    jump
        By how much equity changed as it began, without what people told came then.
    """

    jump: Num = ZERO
    highest: Num


class Peak(Value):
    """The day's stretches, of which the first stands for all the days before.

    Attributes
    ----------
    pending
        Amounts that were told and not seen yet.
    """

    stretches: tuple[Stretch, ...] = ()
    pending: tuple[Num, ...] = ()

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
        highest = self.highest
        return None if highest is None else highest + min(sum(self.pending, ZERO), ZERO)

    def read(self, worth: Decimal, jump: Decimal) -> Peak:
        """Take in a reading of the whole book, and by how much it differs from the last one."""
        rows = [*self.stretches, Stretch(jump=jump, highest=worth)]
        while len(rows) > MOST_STRETCHES:
            least = min(range(1, len(rows)), key=lambda number: abs(rows[number].jump))
            gone, before = rows.pop(least), rows[least - 1]
            highest = max(before.highest, gone.highest)
            rows[least - 1] = before.model_copy(update={"highest": highest})
        return self._telling(tuple(rows), self.pending)

    def told(self, amount: Decimal) -> Peak:
        """Take in what people told came from outside (negative: left), numeraire."""
        if -amount in self.pending:
            # It takes back what was told.
            rest = list(self.pending)
            rest.remove(-amount)
            return self.model_copy(update={"pending": tuple(rest)})
        return self._telling(self.stretches, (*self.pending, amount))

    def moved(self, by: Decimal) -> Peak:
        """Move every stretch: the book has more or less in it for good."""
        return self.model_copy(update={"stretches": _moved(self.stretches, by)})

    def over(self) -> Peak:
        """End the day.

        What was not seen to come by one jump came some time that day: what was the highest on the
        days before lacks it. Of what left it is not known which of the day's readings had it still.
        """
        came = sum((row for row in self.pending if row > 0), ZERO)
        left = sum((row for row in self.pending if row < 0), ZERO)
        rows = (*_moved(self.stretches[:1], came), *self.stretches[1:])
        return Peak.of(Peak(stretches=_moved(rows, left)).highest)

    def _telling(self, rows: tuple[Stretch, ...], amounts: Iterable[Decimal]) -> Peak:
        """Move what came before each amount that is seen among the jumps; the rest waits."""
        pending = list[Decimal]()
        for amount in amounts:
            # Of jumps that are as near the latest: what people tell of is mostly just over.
            jumps = reversed(range(1, len(rows)))
            seen = min(jumps, key=lambda number: abs(rows[number].jump - amount), default=0)
            if seen and abs(rows[seen].jump - amount) <= abs(amount) * ALIKE:
                at = rows[seen].model_copy(update={"jump": rows[seen].jump - amount})
                rows = (*_moved(rows[:seen], amount), at, *rows[seen + 1 :])
            else:
                pending.append(amount)
        return Peak(stretches=rows, pending=tuple(pending))


def _moved(rows: tuple[Stretch, ...], by: Decimal) -> tuple[Stretch, ...]:
    return tuple(row.model_copy(update={"highest": row.highest + by}) for row in rows)
