"""Reads what became of each of several orders that went in one request.

An order is taken only where the answer names its client id. It is refused only where an error names
its client id or, of a venue whose errors name none and whose page vouches for the order of its
answer, stands at its place in a whole one. Of any other order nothing is known: it is looked up,
and never sent again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from allocator.adapters.ccxt.failures import NotSentError, RefusalError, UnansweredError
from allocator.adapters.ccxt.values import JsonObject
from allocator.models.errors import VenueError
from allocator.models.intents import Capabilities, OrderIntent

CODE = re.compile(r"-?[0-9]+|[A-Z]+_[A-Z_]+|[A-Z][a-z]+ .+")
"""A venue's code, its label, or its words where it has neither."""

UNTOLD = "the answer does not tell of this order"


def check_carried(can: Capabilities, intents: Sequence[OrderIntent]) -> None:
    """Keep to what one request of an account may carry.

    Raises
    ------
    NotSentError
        When it does not carry these orders.
    """
    if can.batch_orders < 2:
        raise NotSentError("the account takes one order a request")
    if len(intents) > can.batch_orders:
        raise NotSentError(f"more than {can.batch_orders} orders in a request")
    if len({intent.stamped_at for intent in intents}) > 1:
        raise NotSentError("orders of one request are stamped alike")


def of_request(error: RefusalError, codes: Collection[str]) -> VenueError:
    """Tell what the refusal of a whole request says of its orders.

    A code about an order, told of the request, does not say that no other order was taken.

    Parameters
    ----------
    codes
        Those after which none of the orders was looked at.
    """
    if error.code in codes:
        return error
    return UnansweredError(f"of several orders in one request: {error}")


def told_each(
    ids: Sequence[str], answer: Sequence[Any], key: str, venue_id: str = "orderId"
) -> tuple[str | Exception, ...]:
    """Tell of each order its id at the venue, its refusal, or that nothing is told.

    The answer has an entry for each order, in their order, of which only those that were taken
    bear a client id. One that is too short or too long, or has an order at another's place, is
    torn: what it names is told all the same, and its errors are nobody's.

    Parameters
    ----------
    key, venue_id
        The fields of a client id, and of the venue's own.

    >>> told_each(["a", "b"], [{"code": -2019, "msg": "no"}, {"id": "b", "orderId": 7}], "id")
    (RefusalError('-2019: no'), '7')
    >>> told_each(["a", "b"], [{"id": "b", "orderId": 7}], "id")
    (UnansweredError('the answer does not tell of this order'), '7')
    """
    entries: list[JsonObject] = [row if isinstance(row, dict) else {} for row in answer]
    taken = [row for row in entries if row.get(key) and row.get(venue_id)]
    named = Counter(str(row[key]) for row in taken)
    by_id = {str(row[key]): str(row[venue_id]) for row in taken if named[str(row[key])] == 1}
    whole = len(entries) == len(ids) and all(
        _is_refusal(row, key, venue_id) or (name in by_id and str(row.get(key)) == name)
        for name, row in zip(ids, entries, strict=True)
    )
    return tuple(
        by_id[name] if name in by_id
        else _refusal(entries[place]) if whole
        else UnansweredError(UNTOLD)
        for place, name in enumerate(ids)
    )  # fmt: skip


def told_by_name(
    ids: Sequence[str], made: Sequence[Any], refused: Sequence[Any]
) -> tuple[str | Exception, ...]:
    """Tell of each order its id at the venue, its refusal, or that nothing is told.

    The answer lists those that were taken, and apart from them those that were not, each under its
    client id. An order that stands in both lists, twice, or refused with an id of the venue's is
    told of by neither.

    >>> told_by_name(["a", "b"], [{"clientOid": "b", "orderId": "7"}], [])
    (UnansweredError('the answer does not tell of this order'), '7')
    """
    named = Counter(_name(row) for row in (*made, *refused))
    told = dict[str, str | Exception]()
    for row in made:
        if name := _name(row):
            told[name] = str(row["orderId"])
    for row in refused:
        name = _name(row)
        if name and row.get("errorCode") and not row.get("orderId"):
            told[name] = RefusalError(str(row["errorCode"]), str(row.get("errorMsg") or ""))
    return tuple(
        told[name] if name in told and named[name] == 1 else UnansweredError(UNTOLD)
        for name in ids
    )  # fmt: skip


def _name(row: Any) -> str:
    """Read the client id of a row; empty where there is none."""
    return str(row.get("clientOid") or "") if isinstance(row, dict) else ""


def _is_refusal(row: JsonObject, key: str, venue_id: str) -> bool:
    """Tell whether an entry is an error and nothing else."""
    code = CODE.fullmatch(str(row.get("code")))
    return code is not None and key not in row and venue_id not in row


def _refusal(row: JsonObject) -> RefusalError:
    return RefusalError(str(row["code"]), str(row.get("msg") or ""))
