"""Binance: positions moved between members of one master, at the mark.

USD-M in cross margin only, asked by the master, whom the venue lets do it at its VIP levels 7 to 9:
a rule of the configuration says that it may. A move has no client id and no id of the venue's: it
is found by member, symbol, quantity and time, and bears the name of its record from then on. Two
that look the same are told apart by nobody while neither is known.
Nothing here was run against the venue itself. Sources: the venue's pages Move Position for
Sub-account, Get Move Position History for Sub-account.
"""

from __future__ import annotations

from allocator.adapters.ccxt.answers import rows
from allocator.adapters.ccxt.dialect import Trace
from allocator.adapters.ccxt.failures import NotSentError, UnansweredError
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.models.base import plain
from allocator.models.errors import VenueError
from allocator.models.intents import Found, MoveIntent

RECORD = "record:"
ROWS = 100
"""Rows of the history that are read; more in the time asked for are no answer."""


def moves(place: Place) -> bool:
    """Tell whether an account's positions can be moved, as far as the configuration tells."""
    members = (place.login.config.member, place.master.config.member)
    return place.config.wallet == "usdm" and None not in members


async def send(source: Place, target: Place, intent: MoveIntent) -> str:
    """Ask for a move; it may be asked for once only, so that no refusal but a code is one."""
    market = source.market(intent.instrument)
    if {source.config.wallet, target.config.wallet} != {"usdm"} or not market["linear"]:
        raise NotSentError(f"{intent.instrument} is not moved: positions of USD-M wallets are")
    body: JsonObject = {
        "fromUserEmail": source.member,
        "toUserEmail": target.member,
        "productType": "UM",
        "orderArgs[0].symbol": market["id"],
        "orderArgs[0].quantity": plain(intent.quantity),
        "orderArgs[0].positionSide": "BOTH",
    }
    reply = await source.master.call("sapi_post_move_position", body, intent.stamped_at)
    found = rows(reply, "movePositionOrders")
    if len(found) != 1 or found[0].get("success") is not True:
        raise UnansweredError(f"a move without success: {found}")
    return intent.client_id


async def find(source: Place, intent: MoveIntent, trace: Trace) -> Found | None:
    """Look a move up by what was sent.

    Raises
    ------
    VenueError
        When two look the same, there is more than one answer holds, or what was found once is gone.
    """
    symbol = source.market(intent.instrument)["id"]
    asked = {"symbol": symbol, "page": 1, "rows": ROWS, "startTime": trace.since_ms}
    reply = await source.master.call("sapi_get_move_position", asked)
    found = rows(reply, "futureMovePositionOrderVoList")
    if int(text(reply, "total")) > len(found):
        raise VenueError("more moves than one answer holds")
    like = [row for row in found if _is_move(row, source, symbol, intent, trace)]
    names = [_name_of(row, source) for row in like]
    if len(set(names)) < len(names):
        raise VenueError("two moves of one moment look the same")
    if _is_name(trace.venue_id) and trace.venue_id not in names:
        raise VenueError(f"{trace.venue_id} was found before and is not there")
    same = [row for row, name in zip(like, names, strict=True) if name not in trace.taken]
    # What was found once bears the name of its record from then on.
    same = [row for row in same if _name_of(row, source) == trace.venue_id] or same
    if len(same) > 1:
        raise VenueError("two moves look the same")
    if not same:
        return None
    return Found(
        venue_id=_name_of(same[0], source),
        state="settled",
        filled=intent.quantity,
        average_price=number(same[0].get("price")),
        venue_time=moment(text(same[0], "timeStamp")),
    )


def _name_of(row: JsonObject, source: Place) -> str:
    """Name a record, which has no id of its own, by its member, symbol and moment."""
    return f"{RECORD}{text(row, 'timeStamp')}:{row.get('symbol')}:{source.account}"


def _is_name(venue_id: str | None) -> bool:
    return venue_id is not None and venue_id.startswith(RECORD)


def _is_move(row: JsonObject, source: Place, symbol: str, intent: MoveIntent, trace: Trace) -> bool:
    return (
        row.get("fromUserEmail") == source.member
        and row.get("symbol") == symbol
        and number(row.get("quantity")) == intent.quantity
        and int(text(row, "timeStamp")) >= trace.since_ms
    )
