"""Orders of others that stand beside a plan: those that no request of the plan explains."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from allocator.execution.run import Run
from allocator.models.account import OpenOrder
from allocator.models.intents import AccountReading, OrderIntent


def standing_of_others(run: Run) -> Iterator[tuple[str, OpenOrder]]:
    """List each account's orders that may still fill and are not the plan's own.

    They are those of the last reading, so that what somebody places or takes back while the plan
    goes on counts from the next reading. A reading says of no order whose it is, and may show a
    request that has ended since, for as long as the venue's reads lag. So one that stands at such a
    request's instrument, side and price with no more than it asked for is taken for it, one for
    each. Not so what stood there before the plan began, or the rest of it: the best price of a side
    is where others wait too. Of an account that is not read, the snapshot's count.

    What can only reduce is left out, as in limits: a stop and a take-profit would keep the position
    that they guard from being reduced.

    Yields
    ------
    Account and order.
    """
    for name, account in run.book.accounts.items():
        read = run.seen.get(name)
        rows = account.open_orders if read is None else read.open_orders
        mine = [] if read is None else list(_shown(run, read))
        stood = list(run.baseline[name].open_orders) if name in run.baseline else []
        # The largest first, so that a small one of ours takes no large one's place.
        for row in sorted(rows, key=lambda row: row.quantity, reverse=True):
            if row.reduce_only or row.instrument not in run.book.instruments:
                continue
            old = next((old for old in stood if _may_be_left(old, row)), None)
            asked = next((intent for intent in mine if _may_be(intent, row)), None)
            if old is not None:
                stood.remove(old)
            elif asked is not None:
                mine.remove(asked)
                continue
            yield name, row


def _shown(run: Run, read: AccountReading) -> Iterator[OrderIntent]:
    """List the requests that a reading may show: those that were not over long before it."""
    lag_s = run.shell.venue(read.account).capabilities.read_lag_s + run.shell.clock_skew_s
    since = read.at - timedelta(seconds=float(lag_s))
    for row in run.attempts():
        over = row.final and row.stepped_at is not None and row.stepped_at < since
        if isinstance(row.intent, OrderIntent) and row.intent.account == read.account and not over:
            yield row.intent


def _may_be(intent: OrderIntent, row: OpenOrder) -> bool:
    same = (intent.instrument, intent.side, intent.limit_price)
    return (
        same == (row.instrument, row.side, row.price)
        and row.quantity <= intent.quantity
        and not row.waits
    )


def _may_be_left(old: OpenOrder, row: OpenOrder) -> bool:
    """Whether an order may be what the fills since have left of another."""
    return row.quantity <= old.quantity and old == row.model_copy(update={"quantity": old.quantity})
