"""What venues say of themselves, in their own words: open, in maintenance, or something between.

Sources: Binance, Wallet, "System Status"; Bybit, v5/system-status with v5/enum (state,
serviceTypes, product, env); OKX, docs-v5, "Status", GET / Status; Deribit, public/status; KuCoin,
Futures Trading, "Get Service Status". None of them is signed.

The client's own reading is not used. Of several windows at OKX it keeps the last, so that one that
is planned hides one that is under way; at Deribit it takes the boolean false for maintenance, at
KuCoin a venue that lets orders be cancelled for one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from allocator.adapters.ccxt.answers import listed, single
from allocator.adapters.ccxt.deribit_reads import result
from allocator.adapters.ccxt.place import text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, moment
from allocator.models.base import stamp
from allocator.models.errors import VenueError
from allocator.models.status import GRAVITY, LONGEST, VenueState, VenueStatus

STATUS_AGE_S = 10.0
"""Seconds for which an answer serves: OKX takes one request in five."""

ENDED = frozenset({"completed", "canceled"})


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of maintenance that concerns us; `state` is None while it is only planned."""

    state: VenueState | None
    title: str
    begin: datetime | None
    end: datetime | None


def of_windows(windows: Sequence[Window]) -> VenueStatus:
    """Tell the gravest of what is under way, which ends when the last of its kind does.

    Where nothing is, the venue is open and its note tells what is planned next.
    """
    states: list[VenueState] = [row.state for row in windows if row.state is not None]
    if not states:
        planned = min((row for row in windows if row.begin), key=_begins, default=None)
        if planned is None:
            return VenueStatus(state="open")
        return VenueStatus(state="open", note=f"planned from {_span(planned)}: {planned.title}")
    worst: VenueState = max(states, key=GRAVITY.index)
    same = [row for row in windows if row.state == worst]
    ends = [row.end for row in same if row.end is not None]
    until = max(ends) if len(ends) == len(same) else None
    return VenueStatus(state=worst, until=until, note="; ".join(row.title for row in same))


def of_rows(told: Sequence[object], read: Callable[[JsonObject], Window | None]) -> VenueStatus:
    """Read windows one by one: one that is not understood hides none that is under way.

    Raises
    ------
    VenueError
        When one is not understood and no other is under way: what it says may be that.
    """
    found, amiss = list[Window](), list[VenueError]()
    for row in told:
        try:
            window = read(single(row, "a window"))
        except VenueError as error:
            amiss.append(error)
        else:
            found += [] if window is None else [window]
    status = of_windows(found)
    if not amiss:
        return status
    if not status.barred:
        raise amiss[0]
    note = f"{status.note[: LONGEST // 2]}; not understood: {amiss[0]}"
    return VenueStatus(state=status.state, until=status.until, note=note)


def _begins(row: Window) -> datetime:
    assert row.begin is not None
    return row.begin


def _span(row: Window) -> str:
    begin = stamp(_begins(row))
    return begin if row.end is None else f"{begin} to {stamp(row.end)}"


def _window(row: JsonObject, state: VenueState | None) -> Window:
    begin, end = (_time(row.get(key)) for key in ("begin", "end"))
    return Window(state, str(row.get("title") or ""), begin, end)


def _time(told: object) -> datetime | None:
    """Read a time of a window; None: not told, for zero is none, and what is under way counts."""
    try:
        return moment(told) if str(told).strip("0") else None
    except (VenueError, OverflowError):
        return None


def _unknown(what: str, told: object) -> VenueError:
    return VenueError(f"{what} {told!r} is not one that the venue's page tells")


def _of_word(row: JsonObject, states: Mapping[str, VenueState]) -> VenueStatus:
    """Read ``status``, by the venue's words, and ``msg``; they tell no end."""
    state = states.get(text(row, "status"))
    if state is None:
        raise _unknown("status", row["status"])
    return VenueStatus(state=state, note="" if state == "open" else str(row.get("msg") or ""))


BINANCE: Final[Mapping[str, VenueState]] = {"0": "open", "1": "maintenance"}


def binance(reply: object) -> VenueStatus:
    """Read the one word of the whole venue."""
    return _of_word(single(reply, "system status"), BINANCE)


KUCOIN: Final[Mapping[str, VenueState]] = {
    "open": "open", "close": "maintenance", "cancelonly": "cancel_only",
}  # fmt: skip


def kucoin(reply: object) -> VenueStatus:
    """Read the word of the futures service."""
    return _of_word(single(reply, "service status", "data"), KUCOIN)


DERIBIT: Final[Mapping[str, VenueState]] = {
    "false": "open", "partial": "limited", "true": "maintenance",
}  # fmt: skip


def deribit(reply: object) -> VenueStatus:
    """Read ``locked``, which the page tells as a word and shows as a boolean, and of what."""
    row = single(result(single(reply, "status")), "status")
    state = DERIBIT.get(text(row, "locked").lower())
    if state is None:
        raise _unknown("locked", row["locked"])
    names = row.get("locked_currencies") or row.get("locked_indices") or []
    locked = ", ".join(map(str, names)) if isinstance(names, list) else str(names)
    return VenueStatus(state=state, note=f"locked: {locked}" if locked else "")


BYBIT_DEMO = "2"
BYBIT_ORDERS = frozenset({1, 2})
"""Services: trading, trading over HTTP."""

BYBIT_ELSEWHERE = frozenset({3, 4})
"""Services that are not used: trading by WebSocket, the private stream."""

BYBIT_TRADED = frozenset({1, 2})
"""Products: futures, spot; not options, spreads."""


def bybit(reply: object) -> VenueStatus:
    """Read the windows of what is traded here."""
    rows = listed(single(reply, "system status", "result"), "system status", "list")
    return of_rows(rows, _bybit)


def _bybit(row: JsonObject) -> Window | None:
    """Read a window; None: it has ended, or concerns nothing that is used."""
    state = text(row, "state")
    if state in ENDED:
        return None
    services, products = _numbers(row, "serviceTypes"), _numbers(row, "product")
    elsewhere = (
        str(row.get("env")) == BYBIT_DEMO
        or bool(services and services <= BYBIT_ELSEWHERE)
        or bool(products and not products & BYBIT_TRADED)
    )
    if elsewhere:
        return None
    if state == "scheduled":
        return _window(row, None)
    if state != "ongoing":
        raise _unknown("state", state)
    all_of_it = (not services or services & BYBIT_ORDERS) and not row.get("uidSuffix")
    return _window(row, "maintenance" if all_of_it else "limited")


def _numbers(row: JsonObject, key: str) -> frozenset[int]:
    told: Any = row.get(key) or []
    try:
        return frozenset(int(str(number)) for number in listed(told, key))
    except ValueError as error:
        raise _unknown(key, told) from error


OKX_DEMO = "2"
OKX_TRADING = "5"
OKX_ELSEWHERE = frozenset({"0", "6", "7", "10", "11"})
"""Services that are not used: WebSocket, block trading, bots, spreads, copy trading."""


def okx(reply: object) -> VenueStatus:
    """Read the windows of what is traded here."""
    rows = listed(single(reply, "system status"), "system status", "data")
    return of_rows(rows, _okx)


def _okx(row: JsonObject) -> Window | None:
    """Read a window; None: it has ended, or concerns nothing that is used.

    Trading "in batches of accounts" or "of products" may or may not concern ours. Before it opens
    it takes cancels, orders that do not take, and transfers: ``pre_open``.
    """
    state, service = text(row, "state"), str(row.get("serviceType") or "")
    if state in ENDED or service in OKX_ELSEWHERE or str(row.get("env")) == OKX_DEMO:
        return None
    if state == "scheduled":
        return _window(row, None)
    if state not in ("ongoing", "pre_open"):
        raise _unknown("state", state)
    all_of_it = state == "ongoing" and service == OKX_TRADING
    return _window(row, "maintenance" if all_of_it else "limited")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a venue's status is read, and how.

    Attributes
    ----------
    endpoint
        The client's name for it.
    """

    endpoint: str
    read: Callable[[object], VenueStatus]


SOURCES: Final[Mapping[str, Source]] = {
    "binance": Source("sapi_get_system_status", binance),
    "bybit": Source("public_get_v5_system_status", bybit),
    "deribit": Source("public_get_status", deribit),
    "kucoinfutures": Source("futurespublic_get_status", kucoin),
    "okx": Source("public_get_system_status", okx),
}
"""The venues that publish one; the others' capability tables say that they do not."""


async def status(login: Login) -> VenueStatus:
    """Ask a venue how it stands, once for all its logins; no market has to be known for it.

    Raises
    ------
    VenueError
        When it does not answer, or says something that its page does not tell.
    """
    source = SOURCES[login.venue]
    return source.read(await login.aside(source.endpoint, STATUS_AGE_S))
