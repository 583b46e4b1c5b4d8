"""The figures of one moment, from a snapshot; pure.

Accounts that could not be read have no figures: what is not known is not zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from decimal import Decimal

from pydantic import Field

from allocator.exposure import goals, present
from allocator.limits import Meter, meters_of
from allocator.models.account import Position
from allocator.models.base import ZERO, Num, Utc, Value
from allocator.models.errors import AllocatorError
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.models.status import VenueStatus
from allocator.service.monitor.margins import standing
from allocator.state import (
    Book,
    State,
    equity,
    equity_units,
    held_assets,
    lawful,
    published,
)
from allocator.state.book import Pair

UNFIT = (AllocatorError, ArithmeticError, LookupError)
"""What a mandate that names what the book lacks may come to."""

NOT_READ = "could not be read when the book was gathered"

BEYOND = Decimal(1000)
"""Beyond every threshold. Share of a limit that is exceeded where no fraction tells it: of a bound
of nothing, or of an equity that is gone, for nothing that watches may be silent then. And what
triggers see of the margin of an account that needs none."""


class AccountMark(Value):
    """An account at one moment, numeraire.

    Attributes
    ----------
    on_its_way
        Sent to it from another account of the book and in no wallet yet; not in its equity.
    unrealised
        Profit of open positions that is not in the wallet.
    gross
        Sum of the absolute notionals of its positions; in hedge mode both legs count.
    leverage
        Gross over equity; None where equity is not positive.
    initial, maintenance
        Of its pools; None: not known.
    ratio
        Collateral over maintenance margin of the worst pool; a position with a margin of its own
        is one.
    distance
        Nearest price move, as a positive fraction, at which collateral of a pool equals
        maintenance margin; None: no move does it.
    margin_unknown
        Why ratio and distance are not known, and None for that; empty: they are known.
    ratio_at_most, distance_at_most
        Where they are not known: the worst of what is, than which they are no better.
    """

    account: str
    owner: str
    venue: str
    state: str
    equity: Num
    on_its_way: Num = ZERO
    unrealised: Num
    initial: Num | None
    maintenance: Num | None
    ratio: Num | None
    gross: Num
    leverage: Num | None
    distance: Num | None
    ratio_at_most: Num | None = None
    distance_at_most: Num | None = None
    margin_unknown: str = ""


class Absent(Value):
    """An account that was not read: that it is of the book is known, and what was sent to it."""

    account: str
    owner: str
    venue: str
    on_its_way: Num = ZERO


class ExposureMark(Value):
    """The book's exposure to one underlying, numeraire.

    Attributes
    ----------
    by_account
        What of it each account carries; money on its way between accounts is in none.
    """

    underlying: str
    exposure: Num
    target: Num
    band: Num
    by_account: Mapping[str, Num] = Field(default_factory=dict[str, Num])

    @property
    def beyond(self) -> Decimal:
        """By how much it lies outside its band; negative within it."""
        return abs(self.exposure - self.target) - self.band


class LimitMark(Value):
    """How much of a limit is used.

    Attributes
    ----------
    used
        In the limit's own unit; of leverage a ratio.
    share
        Fraction of the limit that is used; `BEYOND` where it is exceeded and none tells how far.
        None: not known, since an account in its scope was not read.
    """

    limit: str
    bound: str
    used: Num | None
    cap: Num
    share: Num | None


class Marks(Value):
    """The book at one moment.

    Attributes
    ----------
    unread
        Accounts that could not be read, with what was missing.
    absent
        The same accounts, with whose they are and where.
    funding
        Rates by instrument.
    statuses
        How venues say that they stand; a venue that publishes nothing is not in it.
    in_doubt
        What may be on its way beside what is known to be: of a transfer that is being asked for, or
        that ended while wallets were read, these may have it twice or not at all. None: not known.
    unfit
        Why exposures or limits could not be told although every account was read: the mandate
        does not fit the book. Empty: they could.
    """

    at: Utc
    accounts: tuple[AccountMark, ...] = ()
    exposures: tuple[ExposureMark, ...] = ()
    limits: tuple[LimitMark, ...] = ()
    unread: Mapping[str, str] = Field(default_factory=dict[str, str])
    absent: tuple[Absent, ...] = ()
    funding: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    statuses: Mapping[str, VenueStatus] = Field(default_factory=dict[str, VenueStatus])
    in_doubt: Num | None = None
    unfit: str = ""

    @property
    def whole(self) -> bool:
        """Whether every account was read."""
        return not self.unread

    @property
    def on_its_way(self) -> Decimal:
        """What is on its way between accounts; with equity it is all of the book's money."""
        read = sum((row.on_its_way for row in self.accounts), ZERO)
        return read + sum((row.on_its_way for row in self.absent), ZERO)

    @property
    def under_way(self) -> Decimal:
        """What is or may be on its way, and so no loss where wallets lack it."""
        return self.on_its_way + (self.in_doubt or ZERO)

    @property
    def margin_unknown(self) -> Mapping[str, str]:
        """Accounts that were read and whose margin is not known, with why."""
        return {row.account: row.margin_unknown for row in self.accounts if row.margin_unknown}

    @property
    def equity(self) -> Decimal | None:
        """Equity of the book; None unless every account was read."""
        return sum((row.equity for row in self.accounts), ZERO) if self.whole else None


@lawful
def marks_of(
    snapshot: Snapshot,
    mandate: Mandate | None,
    unread: Mapping[str, str] | None = None,
    statuses: Mapping[str, VenueStatus] | None = None,
) -> Marks:
    """Compute the figures of a snapshot; those of accounts need no mandate.

    Parameters
    ----------
    mandate
        None: there is none that can be read.
    unread
        Accounts that could not be read, with what was missing; beside them count those of which
        the snapshot itself says so.

    Raises
    ------
    SnapshotError
        When the snapshot makes no sense by itself.
    """
    missing = {row.id: NOT_READ for row in snapshot.accounts if row.unread} | dict(unread or {})
    book = bare(snapshot)
    state = State.start(book)
    exposures, limits, unfit = _by_mandate(snapshot, mandate, missing.keys())
    return Marks(
        at=snapshot.as_of,
        accounts=tuple(
            _account(book, state, name) for name in sorted(book.accounts) if name not in missing
        ),
        exposures=exposures,
        limits=limits,
        unread=missing,
        absent=tuple(
            Absent(
                account=name,
                owner=row.owner,
                venue=row.venue,
                on_its_way=published(worth_of(book, book.arriving(name))),
            )
            for name, row in sorted(book.accounts.items())
            if name in missing
        ),
        funding={
            row.id: row.funding.rate for row in snapshot.instruments if row.funding is not None
        },
        statuses=dict(statuses or {}),
        unfit=unfit,
    )


def bare(snapshot: Snapshot) -> Book:
    """Derive the book without a mandate: margin is the venue's, whatever is wanted of the book.

    Raises
    ------
    SnapshotError
        When the snapshot makes no sense by itself.
    """
    return Book.of(snapshot, Mandate())


@lawful
def worth_of(book: Book, units: Mapping[str, Decimal]) -> Decimal:
    """Value units by asset, numeraire; an asset without a price is worth nothing."""
    known = book.snapshot.assets
    return sum((u * book.price(c) for c, u in units.items() if c in known), ZERO)


def _by_mandate(
    snapshot: Snapshot, mandate: Mandate | None, unread: Collection[str]
) -> tuple[tuple[ExposureMark, ...], tuple[LimitMark, ...], str]:
    """Compute what the mandate is needed for, and tell why some of it could not be."""
    if mandate is None:
        return (), (), "there is no mandate that can be read"
    exposures, limits, why = tuple[ExposureMark, ...](), tuple[LimitMark, ...](), list[str]()
    try:
        book = Book.of(snapshot, mandate)
    except UNFIT as error:
        return (), (), _words(error)
    try:
        exposures = () if unread else _exposures(book)
    except UNFIT as error:
        why.append(f"exposures: {_words(error)}")
    try:
        limits = _limits(book, State.start(book), unread)
    except UNFIT as error:
        why.append(f"limits: {_words(error)}")
    return exposures, limits, "; ".join(why)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, AllocatorError) else repr(error)


def _account(book: Book, state: State, name: str) -> AccountMark:
    row = book.accounts[name]
    worth = equity(book, state, name)
    margin = standing(book, state, name)
    gross = sum(
        (_contracts(place) * book.units[i].notional for i, place in row.positions.items()), ZERO
    )
    gains = sum((g * book.price(c) for (a, c), g in book.gains.items() if a == name), ZERO)
    return AccountMark(
        account=name,
        owner=row.owner,
        venue=row.venue,
        state=row.state,
        equity=published(worth),
        on_its_way=published(worth_of(book, book.arriving(name))),
        unrealised=published(gains),
        initial=_told(None if margin.needed is None else margin.needed.initial),
        maintenance=_told(None if margin.needed is None else margin.needed.maintenance),
        ratio=_told(margin.ratio),
        gross=published(gross),
        leverage=_told(gross / worth if worth > 0 else None),
        distance=_told(margin.distance),
        ratio_at_most=_told(margin.ratio_at_most),
        distance_at_most=_told(margin.distance_at_most),
        margin_unknown=margin.unknown,
    )


def _contracts(place: Position) -> Decimal:
    """Count contracts, both legs of a hedged pair."""
    return abs(place.net) if place.legs is None else place.legs.long + place.legs.short


def _told(value: Decimal | None) -> Decimal | None:
    return None if value is None else published(value)


def _exposures(book: Book) -> tuple[ExposureMark, ...]:
    held, wanted, shares = present(book), goals(book), _carried(book)
    return tuple(
        ExposureMark(
            underlying=name,
            exposure=published(held[name]),
            target=published(wanted[name].target),
            band=published(wanted[name].band),
            by_account={
                account: published(value)
                for (account, underlying), value in shares.items()
                if underlying == name and value
            },
        )
        for name in book.underlyings
    )


def _carried(book: Book) -> dict[Pair, Decimal]:
    """Tell what each account carries of each underlying, numeraire by (account, underlying)."""
    out, start = defaultdict[Pair, Decimal](Decimal), State.start(book)
    for (account, name), contracts in book.quantity.items():
        underlying = book.instruments[name].underlying
        if underlying is not None:
            out[account, underlying] += contracts * book.units[name].exposure
    for account in book.accounts:
        for asset in held_assets(book, start, account):
            row = book.asset(asset)
            if row.underlying is not None:
                worth = equity_units(book, start, account, asset) * row.price
                out[account, row.underlying] += worth
    return out


def _limits(book: Book, state: State, unread: Collection[str]) -> tuple[LimitMark, ...]:
    rows = list[LimitMark]()
    for meter in meters_of(book):
        rows += _bounds(meter, state) if meter.inside.isdisjoint(unread) else _unknown(meter)
    return tuple(rows)


def _unknown(meter: Meter) -> list[LimitMark]:
    name = meter.limit.id
    return [
        LimitMark(limit=name, bound=bound, used=None, cap=meter.cap(bound), share=None)
        for bound in meter.bounds
    ]


def _bounds(meter: Meter, state: State) -> list[LimitMark]:
    out = list[LimitMark]()
    for bound in meter.bounds:
        cap, excess = meter.cap(bound), meter.excess(state, bound)
        if meter.limit.measure == "leverage":
            worth = meter.equity(state)
            used = meter.total(state) / worth if worth > 0 else None
        else:
            used = cap - excess if bound == "min" else cap + excess
        out.append(
            LimitMark(
                limit=meter.limit.id,
                bound=bound,
                used=_told(used),
                cap=cap,
                share=_told(_share(used, cap, bound, exceeded=excess > 0)),
            )
        )
    return out


def _share(used: Decimal | None, cap: Decimal, bound: str, *, exceeded: bool) -> Decimal:
    over, under = (cap, used) if bound == "min" else (used, cap)
    if over is None or under is None or under <= 0:
        return BEYOND if exceeded else ZERO
    return over / under
