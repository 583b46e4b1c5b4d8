"""What the venues should hold now: what they held before, and every effect that is known. Pure.

Every figure is an interval. Positions move by fills only and are compared exactly. Wallets move by
fees, funding and profits too, of which a venue may tell late; they get a tolerance:

- 0.1 % of what was traded (profits not told yet), and the taker fee where no fee was told,
- where no price was told, twice what the limit is away from the mark, to the better side,
- twice the funding of one settlement on every perpetual held,
- one millionth of the wallet and one hundredth of a numeraire unit (interest, rounding).

What is under way widens the interval by what it may still do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from allocator.execution.attempts import Attempt
from allocator.execution.transitions import State
from allocator.models.base import ONE, ZERO, plain
from allocator.models.intents import AccountReading, MoveIntent, OrderIntent, TransferIntent
from allocator.models.market import Instrument
from allocator.state import Book, Pair, charge_of, lawful

TRADED = Decimal("0.001")
FUNDINGS = 2
LEAST_FUNDING = Decimal("0.0001")
RELATIVE = Decimal("0.000001")
CENT = Decimal("0.01")

_MAYBE = frozenset({State.SENDING, State.UNKNOWN, State.ACKED, State.MANUAL})
_LEFT = frozenset({State.IN_TRANSIT, State.SETTLED})


@dataclass(slots=True)
class Amount:
    """A figure and how far below and above it is still as expected."""

    value: Decimal = ZERO
    below: Decimal = ZERO
    above: Decimal = ZERO

    def holds(self, seen: Decimal) -> bool:
        """Whether a figure that was seen is as expected."""
        return self.value - self.below <= seen <= self.value + self.above

    def widen(self, slack: Decimal) -> None:
        """Allow more on both sides."""
        self.below += slack
        self.above += slack


@dataclass(frozen=True, slots=True)
class Break:
    """A figure that is not what it should be."""

    account: str
    what: str
    expected: Decimal
    tolerance: Decimal
    seen: Decimal

    def __str__(self) -> str:
        return (
            f"{self.account} {self.what}: expected {plain(self.expected)} "
            f"(tolerance {plain(self.tolerance)}), seen {plain(self.seen)}"
        )


@dataclass(slots=True)
class Expected:
    """What accounts should hold.

    Attributes
    ----------
    positions
        Signed contracts by (account, instrument).
    wallets
        Asset units by (account, asset).
    basis
        Worth of each position when it came, settle units.
    """

    book: Book
    positions: dict[Pair, Amount] = field(default_factory=dict[Pair, Amount])
    wallets: dict[Pair, Amount] = field(default_factory=dict[Pair, Amount])
    basis: dict[Pair, Decimal] = field(default_factory=dict[Pair, Decimal])

    def copy(self) -> Expected:
        """Copy it, so that what is not certain yet can be added."""
        positions = {pair: replace(row) for pair, row in self.positions.items()}
        wallets = {pair: replace(row) for pair, row in self.wallets.items()}
        return Expected(self.book, positions, wallets, dict(self.basis))

    def position(self, account: str, instrument: str) -> Amount:
        """Look a position up; flat if nothing is known of it."""
        return self.positions.setdefault((account, instrument), Amount())

    def wallet(self, account: str, asset: str) -> Amount:
        """Look a wallet up; empty if nothing is known of it."""
        return self.wallets.setdefault((account, asset), Amount())

    def breaks(self, reading: AccountReading) -> tuple[Break, ...]:
        """List what a complete reading shows otherwise."""
        positions = _breaks(reading.account, self.positions, reading.positions, strict=True)
        # A coin that nobody knew of does no harm; a position that nobody knew of does.
        wallets = _breaks(reading.account, self.wallets, reading.wallets, strict=False)
        return (*positions, *wallets)


def _breaks(
    account: str, expected: Mapping[Pair, Amount], seen: Mapping[str, Decimal], *, strict: bool
) -> Iterable[Break]:
    names = {name for owner, name in expected if owner == account}
    for name in sorted(names | (set(seen) if strict else set())):
        wanted = expected.get((account, name), Amount())
        found = seen.get(name, ZERO)
        if not wanted.holds(found):
            slack = max(wanted.below, wanted.above)
            yield Break(account, name, wanted.value, slack, found)


class Folding:
    """What accounts should hold, with the effects of ended attempts added up only once.

    Parameters
    ----------
    baseline
        What they held before.

    Attributes
    ----------
    folded
        Client ids of the attempts that are added up.
    """

    def __init__(self, book: Book, baseline: Mapping[str, AccountReading]) -> None:
        self._base = _before(book, baseline)
        self.folded = set[str]()

    @lawful
    def expected(self, attempts: Iterable[Attempt]) -> Expected:
        """Work out what accounts should hold after these attempts, in the order they were made.

        An attempt that is added up once has to be among them for ever.
        """
        new = [row for row in attempts if row.client_id not in self.folded]
        for attempt in sorted(new, key=lambda row: row.intent_at):
            if attempt.final:
                _apply(self._base, attempt)
                self.folded.add(attempt.client_id)
        out = self._base.copy()
        for attempt in sorted(new, key=lambda row: row.intent_at):
            if not attempt.final:
                _apply(out, attempt)
        return out


def expected_now(
    book: Book, baseline: Mapping[str, AccountReading], attempts: Iterable[Attempt]
) -> Expected:
    """Work out what accounts should hold after these attempts, in the order they were made."""
    return Folding(book, baseline).expected(attempts)


@lawful
def _before(book: Book, baseline: Mapping[str, AccountReading]) -> Expected:
    out = Expected(book)
    for account, reading in baseline.items():
        for name, contracts in reading.positions.items():
            out.positions[account, name] = Amount(contracts)
        for asset, units in reading.wallets.items():
            out.wallets[account, asset] = Amount(units)
    for pair, contracts in book.quantity.items():
        out.basis[pair] = _worth(book, pair[1], contracts) - _gain(book, pair)
    for (account, asset), amount in out.wallets.items():
        amount.widen(_drift(book, baseline[account], asset, amount.value))
    return out


def _apply(out: Expected, attempt: Attempt) -> None:
    match attempt.intent:
        case OrderIntent() as intent:
            _apply_order(out, attempt, intent)
        case TransferIntent() as intent:
            _apply_transfer(out, attempt, intent)
        case MoveIntent() as intent:
            _apply_move(out, attempt, intent)


def _apply_order(out: Expected, attempt: Attempt, intent: OrderIntent) -> None:
    row = out.book.instruments[intent.instrument]
    sign = ONE if intent.side == "buy" else -ONE
    if attempt.filled:
        price = intent.limit_price if attempt.average_price is None else attempt.average_price
        _fill(out, intent.account, row, sign * attempt.filled, price)
        if attempt.average_price is None:
            slack = _untold_price(row, attempt.filled, intent.limit_price)
            out.wallet(intent.account, row.cash).above += slack
        if not attempt.fees:
            _untold_fee(out, intent, row, attempt.filled)
    for asset, fee in attempt.fees.items():
        out.wallet(intent.account, asset).value -= fee
    if not attempt.final:
        _may_still_fill(out, intent, row, sign * (intent.quantity - attempt.filled))


def _fill(out: Expected, account: str, row: Instrument, signed: Decimal, price: Decimal) -> None:
    traded = abs(signed) * out.book.notional(row.id) / out.book.price(row.cash)
    cash = out.wallet(account, row.cash)
    cash.widen(traded * TRADED)
    if row.is_spot:
        assert row.base is not None
        base = out.wallet(account, row.base)
        base.value += signed
        base.widen(abs(signed) * TRADED)
        cash.value -= signed * price
        return
    if row.kind == "option":
        # Venues book premiums differently: as cash, or as a negative option value.
        cash.widen(abs(signed) * row.size * price)
    cash.value += _book_fill(out, (account, row.id), row, signed, price)


def _book_fill(
    out: Expected, pair: Pair, row: Instrument, signed: Decimal, price: Decimal
) -> Decimal:
    """Change a position and tell the profit that this realises, settle units."""
    place = out.position(*pair)
    held, basis = place.value, out.basis.get(pair, ZERO)
    place.value += signed
    closed = min(abs(signed), abs(held)) if held * signed < 0 else ZERO
    realised = ZERO
    if closed:
        share = closed / abs(held)
        worth = _worth_at(row, held, price) * share
        realised = basis * share - worth if row.payoff == "inverse" else worth - basis * share
        basis -= basis * share
    opened = abs(signed) - closed
    out.basis[pair] = basis + _worth_at(row, opened if signed > 0 else -opened, price)
    return realised


def _untold_price(row: Instrument, filled: Decimal, limit: Decimal) -> Decimal:
    """Allow for a price better than the limit: as far beyond the mark as that is short of it."""
    return 2 * abs(_worth_at(row, filled, limit) - _worth_at(row, filled, row.mark))


def _untold_fee(out: Expected, intent: OrderIntent, row: Instrument, filled: Decimal) -> None:
    """Allow for a fee that the venue did not tell with the order."""
    rate = out.book.taker(intent.account, row.id)
    traded = filled * out.book.notional(row.id) / out.book.price(row.cash)
    out.wallet(intent.account, row.cash).below += rate * traded
    if row.base is not None and row.is_spot:
        out.wallet(intent.account, row.base).below += rate * filled


def _may_still_fill(out: Expected, intent: OrderIntent, row: Instrument, rest: Decimal) -> None:
    traded = abs(rest) * out.book.notional(row.id) / out.book.price(row.cash)
    if row.is_spot:
        assert row.base is not None
        out.wallet(intent.account, row.base).widen(abs(rest))
        out.wallet(intent.account, row.cash).widen(traded * (ONE + TRADED))
        return
    place = out.position(intent.account, intent.instrument)
    place.above += max(rest, ZERO)
    place.below += max(-rest, ZERO)
    out.wallet(intent.account, row.cash).widen(traded)


def _apply_transfer(out: Expected, attempt: Attempt, intent: TransferIntent) -> None:
    charges = _charges(out.book, intent)
    source = out.wallet(intent.source, intent.asset)
    target = out.wallet(intent.target, intent.asset)
    if attempt.state in _LEFT:
        source.value -= intent.amount + charges
        source.above += charges
    if attempt.state is State.SETTLED:
        target.value += intent.amount
    elif attempt.state is State.IN_TRANSIT:
        target.above += intent.amount
    elif attempt.state is State.RETURNED:
        source.below += charges
    elif attempt.state in _MAYBE:
        source.below += intent.amount + charges
        target.above += intent.amount


def _charges(book: Book, intent: TransferIntent) -> Decimal:
    return charge_of(book.routes[intent.route], intent.amount)


def _apply_move(out: Expected, attempt: Attempt, intent: MoveIntent) -> None:
    row = out.book.instruments[intent.instrument]
    signed = intent.quantity if intent.side == "buy" else -intent.quantity
    if attempt.state is State.SETTLED:
        price = intent.price if attempt.average_price is None else attempt.average_price
        _fill(out, intent.source, row, -signed, price)
        _fill(out, intent.target, row, signed, price)
        rule = out.book.moves.get((intent.source, intent.target, intent.instrument))
        fee = ZERO if rule is None else rule.fee / out.book.price(row.cash)
        out.wallet(intent.source, row.cash).below += fee
    elif attempt.state in _MAYBE:
        for account, contracts in ((intent.source, -signed), (intent.target, signed)):
            place = out.position(account, row.id)
            place.above += max(contracts, ZERO)
            place.below += max(-contracts, ZERO)
            out.wallet(account, row.cash).widen(abs(_worth_at(row, contracts, intent.price)))


def of_snapshot(book: Book, accounts: Iterable[str]) -> Expected:
    """Work out what a plan's snapshot says of accounts, with what was on its way."""
    baseline = {
        name: AccountReading(
            account=name,
            at=book.snapshot.as_of,
            complete=True,
            wallets={asset: row.wallet for asset, row in book.accounts[name].balances.items()},
            positions={pair: row.net for pair, row in book.accounts[name].positions.items()},
        )
        for name in accounts
    }
    out = expected_now(book, baseline, ())
    for name in baseline:
        for asset, units in book.arriving(name).items():
            out.wallet(name, asset).above += units
    return out


def may_arrive(out: Expected, attempts: Iterable[Attempt]) -> None:
    """Allow for transfers of earlier plans that are still under way."""
    for attempt in attempts:
        if isinstance(attempt.intent, TransferIntent):
            target = out.wallet(attempt.intent.target, attempt.intent.asset)
            target.above += attempt.intent.amount
            source = out.wallet(attempt.intent.source, attempt.intent.asset)
            source.above += attempt.intent.amount


def may_have_cost(out: Expected, returned: Iterable[Attempt]) -> None:
    """Allow for charges of transfers that came back and are otherwise left out."""
    for attempt in returned:
        if isinstance(attempt.intent, TransferIntent):
            source = out.wallet(attempt.intent.source, attempt.intent.asset)
            source.below += _charges(out.book, attempt.intent)


def _worth_at(row: Instrument, contracts: Decimal, price: Decimal) -> Decimal:
    if row.payoff == "inverse":
        return contracts * row.size / price
    return contracts * row.size * price


def _worth(book: Book, instrument: str, contracts: Decimal) -> Decimal:
    row = book.instruments[instrument]
    return _worth_at(row, contracts, row.mark)


def _gain(book: Book, pair: Pair) -> Decimal:
    gain = book.unrealised.get(pair, ZERO)
    return -gain if book.instruments[pair[1]].payoff == "inverse" else gain


def _drift(book: Book, reading: AccountReading, asset: str, units: Decimal) -> Decimal:
    """Tolerance of a wallet that nothing was done to, asset units."""
    slack = abs(units) * RELATIVE
    if asset in book.snapshot.assets:
        slack += CENT / book.price(asset)
    for name, contracts in reading.positions.items():
        row = book.instruments.get(name)
        if row is None or row.funding is None or row.cash != asset:
            continue
        rate = max(abs(row.funding.rate), LEAST_FUNDING) * FUNDINGS
        slack += abs(contracts) * book.notional(name) * rate / book.price(asset)
    return slack
