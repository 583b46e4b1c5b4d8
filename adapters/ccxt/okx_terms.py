"""OKX v5: the terms an account trades under, and what it may do.

Sources: the venue's pages "Get fee rates", "Get leverage", "Get maximum withdrawals", "Get discount
rate and interest-free quota", "Get sub-account list".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.okx_reads import PAGE_ROWS, PAGES, kind_of, only, rows
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, number
from allocator.adapters.exact import exactly
from allocator.models.account import FeeRates, Fees
from allocator.models.base import ZERO
from allocator.models.errors import VenueError
from allocator.models.market import CollateralTier

MAY_SEND = "canTransOut"
NAMES_A_CALL = 20

Steps = Mapping[str, tuple[CollateralTier, ...]]


@dataclass(frozen=True, slots=True)
class Terms:
    """Fees; what may leave, by currency; leverage by instrument; discount steps by currency."""

    fees: Fees
    free: Mapping[str, Decimal]
    leverage: Mapping[str, Decimal]
    steps: Steps


async def terms(place: Place) -> Terms:
    """Read the terms of a trading account."""
    return Terms(
        *await asyncio.gather(
            _fees(place), _withdrawable(place), _leverages(place), _discounts(place)
        )
    )


async def note_rights(place: Place) -> None:
    """Note whether a member may send to other members; where nobody tells, it may not."""
    place.login.noted[MAY_SEND] = "false"
    member = place.login.config.member
    if place.login is place.master or member is None:
        return
    with contextlib.suppress(VenueError):
        await place.master.prepare()
        if member in await _senders(place.master):
            place.login.noted[MAY_SEND] = "true"


async def _senders(master: Login) -> set[str]:
    """List the members of a master that may send to other members."""
    told = await members_of(master)
    return {text(row, "subAcct") for row in told if row.get("canTransOut") is True}


async def members_of(master: Login) -> list[JsonObject]:
    """List the members of a master, a hundred a page.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    found, after = list[JsonObject](), dict[str, str]()
    for _ in range(PAGES):
        asked = {"limit": str(PAGE_ROWS), **after}
        page = rows(await master.kept("private_get_users_subaccount_list", asked))
        found += page
        if len(page) < PAGE_ROWS:
            return found
        after = {"after": text(page[-1], "ts")}
    raise VenueError(f"more than {PAGES} pages of members")


def named(place: Place, *, contracts: bool) -> tuple[str, ...]:
    """List the configured instruments that are contracts, or are not."""
    return tuple(
        f"{place.venue}:{symbol}"
        for symbol in place.config.instruments
        if bool(place.login.market(symbol)["contract"]) is contracts
    )


async def _fees(place: Place) -> Fees:
    """Read fee rates by instrument; the highest taker fee stands for what is not listed."""
    markets = [place.login.market(symbol) for symbol in place.config.instruments]
    kinds = sorted({kind_of(row) for row in markets}) or ["SWAP"]
    replies = await asyncio.gather(
        *(place.login.call("private_get_account_trade_fee", {"instType": kind}) for kind in kinds)
    )
    told = {kind: only(reply) for kind, reply in zip(kinds, replies, strict=True)}
    by = {
        f"{place.venue}:{market['symbol']}": _rates(market, told[kind_of(market)])
        for market in markets
    }
    takers = [row.taker for row in by.values() if row.taker is not None]
    if not takers:
        takers = [_paid(told[kinds[0]], "taker") or ZERO]
    return Fees(taker=max(takers), by=by)


def _rates(market: JsonObject, told: JsonObject) -> FeeRates:
    """Choose the rates of a market: of its group, else by the currency it settles in.

    Raises
    ------
    UnansweredError
        When neither is told.
    """
    group = market["info"].get("groupId")
    for row in told.get("feeGroup") or ():
        if group and row.get("groupId") == group:
            return FeeRates(maker=_paid(row, "maker"), taker=_paid(row, "taker"))
    settle = market["quote"] if market["spot"] else market["settle"]
    tail = {"USDC": "USDC"}.get(settle, "" if market["spot"] or market["inverse"] else "U")
    taker = _paid(told, f"taker{tail}")
    if taker is None:
        raise UnansweredError(f"no fee rates of {market['symbol']}")
    return FeeRates(maker=_paid(told, f"maker{tail}"), taker=taker)


@exactly
def _paid(row: JsonObject, key: str) -> Decimal | None:
    """Turn the venue's sign: what is paid is negative there. A taker is never paid here."""
    told = number(row.get(key))
    if told is None:
        return None
    return max(ZERO, -told) if key.startswith("taker") else -told


async def _leverages(place: Place) -> dict[str, Decimal]:
    """Read the leverage selected for configured contracts, cross margin, the lesser of two legs."""
    markets = [place.login.market(place.symbol(name)) for name in named(place, contracts=True)]
    names = [str(market["id"]) for market in markets]
    replies = await asyncio.gather(
        *(
            place.login.call(
                "private_get_account_leverage_info",
                {"instId": ",".join(names[start : start + NAMES_A_CALL]), "mgnMode": "cross"},
            )
            for start in range(0, len(names), NAMES_A_CALL)
        )
    )
    found = dict[str, Decimal]()
    for row in (row for reply in replies for row in rows(reply)):
        name, lever = text(row, "instId"), number(row.get("lever"))
        if lever:
            found[name] = min(lever, found.get(name, lever))
    return {
        f"{place.venue}:{market['symbol']}": found[market["id"]]
        for market in markets
        if market["id"] in found
    }


async def _withdrawable(place: Place) -> dict[str, Decimal]:
    """Read what may leave, without anything borrowed."""
    reply = await place.login.call("private_get_account_max_withdrawal", {})
    return {text(row, "ccy"): max(ZERO, number(row.get("maxWd")) or ZERO) for row in rows(reply)}


async def _discounts(place: Place) -> dict[str, tuple[CollateralTier, ...]]:
    """Read each currency's discount steps, which every account of the venue shares."""
    reply = await place.login.shared("public_get_public_discount_rate_interest_free_quota", {})
    return {text(row, "ccy"): _steps(row) for row in rows(reply)}


def _steps(row: JsonObject) -> tuple[CollateralTier, ...]:
    """Read the steps of one currency; above the last bounded one its least rate holds."""
    tiers = [
        CollateralTier(
            upto=number(step.get("maxAmt")) or None,
            ratio=number(text(step, "discountRate")) or ZERO,
        )
        for step in row.get("details") or ()
    ]
    if not tiers or tiers[-1].upto is not None:
        least = number(row.get("minDiscountRate")) or ZERO
        tiers.append(CollateralTier(upto=None, ratio=least))
    return tuple(tiers)
