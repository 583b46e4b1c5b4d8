"""Puts what was read into one snapshot: nothing is dropped in silence, nothing is made up.

An account that was not read stands frozen with its last known numbers, or empty if there never
were any, and is named. So is one that holds something of which no price, or only an old one, is
known, or that has a position or an order in a market that was not read for as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from allocator.adapters.figures import scaled
from allocator.adapters.prices import Priced, Seen, chosen
from allocator.adapters.routes import internal_routes, merged, onchain_routes, sendable
from allocator.adapters.sources import AccountSource, AssetPrices, NetworkTerms
from allocator.models.account import Account, Balance, Fees, State
from allocator.models.base import ONE, ZERO
from allocator.models.config import AssetConfig, Config
from allocator.models.market import Asset, Instrument
from allocator.models.snapshot import Snapshot
from allocator.models.status import VenueStatus

DOLLARS = frozenset({"USD", "USDT", "USDC", "FDUSD", "USDE", "DAI", "TUSD", "PYUSD"})
"""Assets that are exposure to nothing unless the configuration says otherwise."""

VOLATILITY = Decimal("0.03")
"""A day's volatility where the mandate names none (problem.md, section 2)."""


STRICTER: Sequence[State] = ("open", "reduce_only", "frozen")

NOT_READ: Mapping[str, Any] = {"state": "frozen", "unread": True}
"""What becomes of an account whose figures are old or not whole."""


@dataclass(frozen=True, slots=True)
class NotRead:
    """Something that a gather could not read, and why."""

    account: str
    what: str


@dataclass(frozen=True, slots=True)
class Book:
    """A snapshot and what is missing from it.

    Attributes
    ----------
    notes
        What else was seen of accounts that were read: a market left out, dust left aside.
    statuses
        How venues say that they stand; a venue that publishes nothing is not in it.
    """

    snapshot: Snapshot
    missing: tuple[NotRead, ...]
    notes: tuple[NotRead, ...] = ()
    statuses: Mapping[str, VenueStatus] = field(default_factory=dict[str, VenueStatus])


@dataclass(slots=True)
class Parts:
    """What was read, before it is put together.

    Attributes
    ----------
    accounts
        By id; absent: not read.
    failures
        Why, by account.
    prices, terms
        By venue.
    unread
        Markets that could not be read while others of their venue were, and why.
    notes
        What was seen that keeps no account from being read.
    seen
        The last price told of each asset, in this gather or an earlier one.
    marked
        When the gather began that read a market last, by instrument.
    statuses
        How venues say that they stand.
    """

    as_of: datetime
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    failures: list[NotRead] = field(default_factory=list[NotRead])
    instruments: dict[str, Instrument] = field(default_factory=dict[str, Instrument])
    prices: dict[str, AssetPrices] = field(default_factory=dict[str, AssetPrices])
    terms: dict[str, Mapping[str, NetworkTerms]] = field(
        default_factory=dict[str, Mapping[str, NetworkTerms]]
    )
    unread: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[NotRead] = field(default_factory=list[NotRead])
    seen: Mapping[str, Seen] = field(default_factory=dict[str, Seen])
    marked: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    statuses: dict[str, VenueStatus] = field(default_factory=dict[str, VenueStatus])

    def fail(self, account: str, what: str) -> None:
        """Name something that is missing."""
        self.failures.append(NotRead(account, what))


def assemble(
    config: Config, sources: Sequence[AccountSource], parts: Parts, last: Snapshot | None
) -> Book:
    """Build the snapshot; `last` is the one before it, from which frozen accounts take numbers."""
    accounts = {source.config.id: _account(config, source, parts, last) for source in sources}
    instruments = _instruments(parts, accounts, last)
    priced = chosen(config, parts.seen, parts.as_of)
    prices = priced.dollars
    accounts = {
        name: _dated(_representable(row, instruments, prices, parts), instruments, priced, parts)
        for name, row in accounts.items()
    }
    accounts = {name: _marked(config, row, parts) for name, row in accounts.items()}
    routes, problems = onchain_routes(
        config, {row.config.id: row.venue for row in sources}, parts.terms
    )
    routes, moves, barred = sendable(config, routes, sources)
    for account, what in (*problems, *barred):
        parts.fail(account, what)
    found = merged(routes, internal_routes(sources, accounts))
    used = _used_assets(accounts, instruments) | {row.asset for row in found}
    volatility = config.mandate.policy.risk.daily_volatility
    snapshot = Snapshot(
        as_of=parts.as_of,
        assets={name: _asset(config.assets.get(name), name, prices[name])
                for name in sorted(used & prices.keys())},
        instruments=tuple(
            _finished(row, prices, volatility) if name in parts.instruments else row
            for name, row in sorted(instruments.items()) if _payable(row, prices)
        ),
        accounts=tuple(accounts.values()),
        routes=tuple(row for row in found if row.asset in prices),
        moves=tuple(row for row in moves if row.instrument in instruments),
    )  # fmt: skip
    missing, notes = dict.fromkeys(parts.failures), dict.fromkeys(parts.notes)
    return Book(snapshot, tuple(missing), tuple(notes), parts.statuses)


def _account(config: Config, source: AccountSource, parts: Parts, last: Snapshot | None) -> Account:
    mine = source.config
    read = parts.accounts.get(mine.id)
    if read is not None:
        asleep = config.mode == "live" and not mine.live
        if asleep:
            return read.model_copy(update={"state": "frozen"})
        return _let(read, parts) if config.gather.follows(read.venue) else read
    if last is not None and mine.id in last.account:
        return last.account[mine.id].model_copy(update=NOT_READ)
    return Account(
        id=mine.id,
        venue=source.venue,
        owner=mine.owner,
        control_group=mine.control_group,
        login=mine.login,
        state="frozen",
        unread=True,
        fees=Fees(taker=ZERO),
    )


def _let(account: Account, parts: Parts) -> Account:
    """Let an account do what its venue says that it can, and name what that takes away."""
    told = parts.statuses.get(account.venue)
    if told is None or told.accounts == "open":
        return account
    state = max(account.state, told.accounts, key=STRICTER.index)
    what = f"{state.replace('_', ' ')}: {account.venue} says {told.words}"
    parts.notes.append(NotRead(account.id, what))
    return account.model_copy(update={"state": state})


def _instruments(
    parts: Parts, accounts: Mapping[str, Account], last: Snapshot | None
) -> dict[str, Instrument]:
    """Take what was read; a market that was not keeps its last prices and is halted.

    They serve as long as data may be old: see `_marked`.
    """
    found = dict(parts.instruments)
    if last is not None:
        for account in accounts.values():
            for name in mentioned(account):
                if name not in found and name in last.instrument:
                    found[name] = last.instrument[name].model_copy(update={"status": "halted"})
    return found


def mentioned(account: Account) -> set[str]:
    """List the instruments an account refers to."""
    return {*account.positions, *account.spot, *(row.instrument for row in account.open_orders)}


def _asset(config: AssetConfig | None, name: str, price: Decimal) -> Asset:
    """Describe an asset; where no haircut is configured it is no collateral at all.

    Accounts bring the ratios that their venue grants, so this one holds only where nobody knows.
    """
    underlying = None if name in DOLLARS else name
    haircut = ONE
    if config is not None:
        underlying = config.underlying or underlying
        haircut = haircut if config.haircut is None else config.haircut
    return Asset(price=price, underlying=underlying, haircut=haircut)


def _representable(
    account: Account,
    instruments: Mapping[str, Instrument],
    prices: Mapping[str, Decimal],
    parts: Parts,
) -> Account:
    """Freeze an account of which something cannot be written down, and name that.

    A market that could not be read by itself is no reason where the account has neither a position
    nor an order in it: it is left out.
    """
    unpriced = sorted(account.balances.keys() - prices.keys())
    unknown = sorted(
        name for name in mentioned(account)
        if name not in instruments or not _payable(instruments[name], prices)
    )  # fmt: skip
    account = _referring(_quiet(account, instruments, parts), instruments, prices)
    if not unpriced and not unknown:
        return account
    for name in unpriced:
        if account.balances[name].wallet:
            parts.fail(account.id, f"{name} has no price: set assets.{name}.price")
    engaged = [name for name in unknown if name not in parts.unread or _engaged(account, name)]
    for name in engaged:
        why = _missing(instruments[name], prices) if name in instruments else ""
        why = parts.unread.get(name, why)
        parts.fail(account.id, f"no market data of {name}" + (f": {why}" if why else ""))
    held = any(account.balances[name].wallet for name in unpriced)
    return account.model_copy(
        update={
            **(NOT_READ if held or engaged else {}),
            "balances": _without(account.balances, unpriced),
            "positions": {k: v for k, v in account.positions.items() if k not in unknown},
            "spot": tuple(name for name in account.spot if name not in unknown),
            "open_orders": tuple(r for r in account.open_orders if r.instrument not in unknown),
        }
    )


def _engaged(account: Account, name: str) -> bool:
    position = account.positions.get(name)
    stands = any(row.instrument == name for row in account.open_orders)
    return stands or (position is not None and position.quantity != 0)


def _dated(
    account: Account, instruments: Mapping[str, Instrument], priced: Priced, parts: Parts
) -> Account:
    """Freeze an account whose worth or figures rest on an old price, and name that."""
    leant_on = {name for name, row in account.balances.items() if row.wallet}
    for name in mentioned(account):
        row = instruments[name]
        leant_on |= {row.cash} | ({row.base} if row.is_spot and row.base else set[str]())
    old = sorted(leant_on & priced.old.keys())
    for name in old:
        parts.fail(account.id, f"the price of {name} is {priced.old[name]:.0f} s old")
    return account.model_copy(update=NOT_READ) if old else account


def _marked(config: Config, account: Account, parts: Parts) -> Account:
    """Freeze an account with a position or an order in a market whose figures are old; name that.

    A market that its venue says is halted is read like any other: by its mark the venue margins.
    """
    limit, old = float(config.gather.max_age_s), False
    for name in sorted(mentioned(account)):
        age = (parts.as_of - parts.marked.get(name, parts.as_of)).total_seconds()
        if age > limit and _engaged(account, name):
            parts.fail(account.id, f"the market data of {name} are {age:.0f} s old")
            old = True
    return account.model_copy(update=NOT_READ) if old else account


def _referring(
    account: Account, instruments: Mapping[str, Instrument], prices: Mapping[str, Decimal]
) -> Account:
    """Leave out rates and ratios of what is not in the snapshot; they are held by nobody."""
    by = {name: row for name, row in account.fees.by.items() if name in instruments}
    collateral = {name: row for name, row in account.collateral.items() if name in prices}
    fees = account.fees.model_copy(update={"by": by})
    return account.model_copy(update={"fees": fees, "collateral": collateral})


def _without(balances: Mapping[str, Balance], names: Sequence[str]) -> dict[str, Balance]:
    return {asset: row for asset, row in balances.items() if asset not in names}


def _quiet(account: Account, instruments: Mapping[str, Instrument], parts: Parts) -> Account:
    """Stop trading what is not quoted on both sides, or has no leverage to margin it by.

    Brackets that state initial margin themselves need no leverage.
    """
    positions = dict(account.positions)
    silent = {name for name, row in instruments.items() if not row.bid or not row.ask}
    stated = parts.unread.keys() | {
        name for name, row in instruments.items()
        if row.tiers and all(tier.initial is not None for tier in row.tiers)
    }  # fmt: skip
    for name, row in account.positions.items():
        if row.may_trade and name in silent:
            parts.fail(account.id, f"{name} is not quoted on both sides: not traded")
            positions[name] = row.model_copy(update={"tradable": False})
        elif row.may_trade and row.leverage is None and name not in stated:
            parts.fail(account.id, f"{name} has no leverage: not traded")
            positions[name] = row.model_copy(update={"tradable": False})
    spot = tuple(name for name in account.spot if name not in silent)
    return account.model_copy(update={"positions": positions, "spot": spot})


def _missing(row: Instrument, prices: Mapping[str, Decimal]) -> str:
    """Say which of a market's assets has no price."""
    names = {row.cash, row.base} if row.is_spot else {row.cash}
    unknown = sorted(name for name in names if name is not None and name not in prices)
    return f"{', '.join(unknown)} has no price"


def _payable(row: Instrument, prices: Mapping[str, Decimal]) -> bool:
    return row.cash in prices and (not row.is_spot or row.base in prices)


def _used_assets(
    accounts: Mapping[str, Account], instruments: Mapping[str, Instrument]
) -> set[str]:
    used = {asset for row in accounts.values() for asset in row.balances}
    used |= {asset for row in accounts.values() for asset in row.ring_fenced}
    used |= {asset for row in accounts.values() for asset in row.collateral}
    for row in instruments.values():
        used.add(row.cash)
        if row.is_spot and row.base is not None:
            used.add(row.base)
    return used


def _finished(
    row: Instrument, prices: Mapping[str, Decimal], volatility: Mapping[str, Decimal]
) -> Instrument:
    """Turn quote figures into dollars; take the larger of the day's range and the mandate's."""
    floor = volatility.get(row.underlying or row.base or "", VOLATILITY)
    daily = max(floor, row.daily_volatility or ZERO)
    return scaled(row, prices[row.cash]).model_copy(update={"daily_volatility": daily})
