"""Fees after a shock, and fees that nobody charges."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from allocator.models.account import Account, FeeRates, Fees
from allocator.models.base import ONE, ZERO, plain
from allocator.models.errors import Problem
from allocator.models.snapshot import Snapshot
from allocator.whatif.shock import Adjust

Rates = tuple[Decimal, Decimal]
"""Of a maker and of a taker, fractions of notional."""


def changed(fees: Fees, change: Adjust) -> Fees:
    """Change every rate; a taker's ends at zero, a maker's may become a rebate."""

    def maker(value: Decimal | None) -> Decimal | None:
        return None if value is None else change.of(value)

    def taker(value: Decimal) -> Decimal:
        return max(change.of(value), ZERO)

    return Fees(
        maker=maker(fees.maker),
        taker=taker(fees.taker),
        by={
            name: FeeRates(
                maker=maker(row.maker), taker=None if row.taker is None else taker(row.taker)
            )
            for name, row in fees.by.items()
        },
    )


def impossible_fees(before: Snapshot, after: Snapshot) -> list[Problem]:
    """Tell what a change of fees makes of the first account that it leaves with senseless ones.

    A rebate above what the taker pays would pay whoever trades with themselves; a fee above one
    takes more than the whole trade. What the book itself has so is not the change's doing.
    """
    for row in after.accounts:
        if row.fees != (old := before.account[row.id]).fees:
            known = {said for _, said in _senseless(old)}
            for rates, said in _senseless(row):
                if said not in known:
                    told = " and ".join(
                        f"{name} {plain(rate)}"
                        for name, rate in zip(("maker", "taker"), rates, strict=True)
                    )
                    return [Problem(("fees",), f"leaves {row.id} with {told}: {said}")]
    return []


def _senseless(account: Account) -> Iterator[tuple[Rates, str]]:
    fees = account.fees
    for row in (FeeRates(), *fees.by.values()):
        taker = fees.taker if row.taker is None else row.taker
        maker = fees.maker if row.maker is None else row.maker
        maker = taker if maker is None else maker
        if maker + taker < 0:
            yield (maker, taker), "a rebate is no larger than the fee of the taker"
        elif max(maker, taker) > ONE:
            yield (maker, taker), "a fee is no larger than the trade"
