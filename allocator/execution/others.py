"""Orders of others that stand beside a plan: those that no request of the plan explains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from allocator.execution.run import Run
from allocator.models.account import OpenOrder, SeenOrder
from allocator.models.intents import AccountReading, OrderIntent


def standing_of_others(run: Run) -> Iterator[tuple[str, OpenOrder]]:
    """List each account's orders that may still fill and are not the plan's own.

    They are those of the last reading, so that what somebody places or takes back while the plan
    goes on counts from the next reading; of an account that is not read, the snapshot's. A reading
    may show a request that has ended since, for as long as the venue's reads lag: it is left out
    as the plan's own. One that still stands after that is on record as over and counts nowhere
    else, so it counts here.

    Whose an order is, its name tells. Where the venue tells none, one that stands at such a
    request's instrument, side and price with no more than it asked for is taken for it, one for
    each. Not so what stood there before the plan began, or the rest of it: the best price of a side
    is where others wait too.

    What can only reduce is left out, as in limits: a stop and a take-profit would keep the position
    that they guard from being reduced.

    Yields
    ------
    Account and order.
    """
    for name, account in run.book.accounts.items():
        read = run.seen.get(name)
        if read is None:
            yield from ((name, row) for row in account.open_orders if _counts(run, row))
        else:
            yield from ((name, row) for row in _not_ours(run, read))


def _counts(run: Run, row: OpenOrder) -> bool:
    return not row.reduce_only and row.instrument in run.book.instruments


def _not_ours(run: Run, read: AccountReading) -> Iterator[SeenOrder]:
    """List the orders of a reading that count and are none of the plan's requests."""
    rows = [row for row in read.open_orders if _counts(run, row)]
    mine = {intent.client_id: intent for intent in _shown(run, read)}
    named = {row.client_id for row in read.open_orders}
    yield from (row for row in rows if row.client_id is not None and row.client_id not in mine)
    yield from _unlike(
        [row for row in rows if row.client_id is None],
        [intent for id_, intent in mine.items() if id_ not in named],
        list(run.baseline[read.account].open_orders) if read.account in run.baseline else [],
    )


def _unlike(
    rows: Iterable[SeenOrder], mine: list[OrderIntent], stood: list[SeenOrder]
) -> Iterator[SeenOrder]:
    """List those of rows without a name that stood before, or look like no request."""
    # The largest first, so that a small one of ours takes no large one's place.
    for row in sorted(rows, key=lambda row: row.quantity, reverse=True):
        old = next((old for old in stood if _may_be_left(old, row)), None)
        asked = next((intent for intent in mine if _may_be(intent, row)), None)
        if old is not None:
            stood.remove(old)
        elif asked is not None:
            mine.remove(asked)
            continue
        yield row


def _shown(run: Run, read: AccountReading) -> Iterator[OrderIntent]:
    """List the requests that a reading may show: those that were not over long before it."""
    lag_s = run.shell.venue(read.account).capabilities.read_lag_s + run.shell.clock_skew_s
    since = read.at - timedelta(seconds=float(lag_s))
    for row in run.attempts():
        over = row.final and row.stepped_at is not None and row.stepped_at < since
        if isinstance(row.intent, OrderIntent) and row.intent.account == read.account and not over:
            yield row.intent


def _may_be(intent: OrderIntent, row: SeenOrder) -> bool:
    same = (intent.instrument, intent.side, intent.limit_price)
    return (
        same == (row.instrument, row.side, row.price)
        and row.quantity <= intent.quantity
        and not row.waits
    )


def _may_be_left(old: SeenOrder, row: SeenOrder) -> bool:
    """Whether an order may be what the fills since have left of another."""
    return row.quantity <= old.quantity and old == row.model_copy(update={"quantity": old.quantity})
