"""States of a book: quantities and wallets after some of a plan's actions.

A state is immutable; a step copies only the accounts that it touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from allocator.models.base import ONE, ZERO
from allocator.models.plan import Transfer
from allocator.state.arithmetic import lawful
from allocator.state.book import Book, Pair
from allocator.state.effects import Effect


@dataclass(frozen=True, slots=True)
class Holding:
    """What one account holds; equal and hashed by content, so that figures of it can be kept.

    Attributes
    ----------
    quantity
        Signed contracts by instrument.
    wallet
        Units by asset.
    settled
        Unrealised profit that moves have turned into wallet, units by asset.
    spent
        Fees, spread and charges paid by the plan, units by asset.
    code
        The hash, once it has been asked for.
    """

    quantity: Mapping[str, Decimal]
    wallet: Mapping[str, Decimal]
    settled: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    spent: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    code: list[int] = field(init=False, default_factory=list[int], repr=False, compare=False)

    def __hash__(self) -> int:
        if not self.code:
            parts = (self.quantity, self.wallet, self.settled, self.spent)
            self.code.append(hash(tuple(frozenset(part.items()) for part in parts)))
        return self.code[0]


@dataclass(frozen=True, slots=True)
class Transit:
    """Money of the plan that has left and not arrived; asset units."""

    source: str
    target: str
    asset: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Departures:
    """Where a state differs from the start of its book.

    Attributes
    ----------
    accounts
        Accounts that hold something else.
    contracts
        Contracts at the start and in the state, by (account, instrument).
    """

    accounts: tuple[str, ...]
    contracts: Mapping[Pair, tuple[Decimal, Decimal]]


@dataclass(frozen=True, slots=True)
class State:
    """Holdings by account and the plan's money under way.

    Attributes
    ----------
    known
        Departures from the start, once they have been asked for.
    """

    holdings: Mapping[str, Holding]
    transit: tuple[Transit, ...] = ()
    known: list[Departures] = field(default_factory=list[Departures], repr=False, compare=False)

    @classmethod
    def start(cls, book: Book) -> State:
        """Take the snapshot as it stands."""
        return book.once("start", lambda: cls._taken(book))

    @classmethod
    def _taken(cls, book: Book) -> State:
        quantity: dict[str, dict[str, Decimal]] = {name: {} for name in book.accounts}
        wallet: dict[str, dict[str, Decimal]] = {name: {} for name in book.accounts}
        for (account, instrument), value in book.quantity.items():
            quantity[account][instrument] = value
        for (account, asset), value in book.wallet.items():
            wallet[account][asset] = value
        return cls({name: Holding(quantity[name], wallet[name]) for name in book.accounts})

    @lawful
    def after(self, effects: Iterable[Effect], share: Decimal = ONE, arrived: bool = True) -> State:
        """Apply actions.

        Parameters
        ----------
        effects
            The actions.
        share
            Fraction of every order that is filled; transfers and moves happen whole.
        arrived
            Whether transfers have arrived, or only left.
        """
        draft = _Draft(self)
        for effect in effects:
            part = share if effect.action.kind == "order" else ONE
            draft.add("quantity", effect.contracts, part)
            draft.add("wallet", effect.at_once, part)
            draft.add("spent", effect.spent, part)
            draft.add("wallet", effect.settled, ONE)
            draft.add("settled", effect.settled, ONE)
            if arrived:
                draft.add("wallet", effect.on_arrival, ONE)
            elif isinstance(effect.action, Transfer):
                sent = effect.action
                draft.transit.append(Transit(sent.source, sent.target, sent.asset, sent.amount))
        return draft.state()


def departures(book: Book, state: State) -> Departures:
    """Tell where a state differs from the start."""
    if not state.known:
        state.known.append(_departures(State.start(book), state))
    return state.known[0]


def _departures(start: State, state: State) -> Departures:
    accounts, contracts = list[str](), dict[Pair, tuple[Decimal, Decimal]]()
    for account, now in state.holdings.items():
        before = start.holdings[account]
        if now is before:
            continue
        accounts.append(account)
        for name in {**before.quantity, **now.quantity}:
            held, quantity = before.quantity.get(name, ZERO), now.quantity.get(name, ZERO)
            if quantity is not held and quantity != held:
                contracts[account, name] = (held, quantity)
    return Departures(tuple(accounts), contracts)


class _Draft:
    """A state being made: an account is copied when it is first touched."""

    def __init__(self, base: State) -> None:
        self.base = base
        self.touched: dict[str, dict[str, dict[str, Decimal]]] = {}
        self.transit = list(base.transit)

    def add(self, part: str, changes: Mapping[Pair, Decimal], share: Decimal) -> None:
        for (account, name), value in changes.items():
            values = self._copy(account)[part]
            values[name] = values.get(name, ZERO) + value * share

    def _copy(self, account: str) -> dict[str, dict[str, Decimal]]:
        if account not in self.touched:
            old = self.base.holdings[account]
            self.touched[account] = {
                "quantity": dict(old.quantity),
                "wallet": dict(old.wallet),
                "settled": dict(old.settled),
                "spent": dict(old.spent),
            }
        return self.touched[account]

    def state(self) -> State:
        new = {name: Holding(**parts) for name, parts in self.touched.items()}
        return State({**self.base.holdings, **new}, tuple(self.transit))


def held_assets(book: Book, state: State, account: str) -> tuple[str, ...]:
    """Name every asset that the account's equity may hold, sorted."""
    known, wallet = book.assets[account], state.holdings[account].wallet
    if len(wallet) <= len(known) and all(name in known for name in wallet):
        return known
    return tuple(sorted({*known, *wallet}))


@lawful
def equity_units(book: Book, state: State, account: str, asset: str) -> Decimal:
    """Equity E_ac in asset units: wallet + unrealised - ring-fenced."""
    holding = state.holdings[account]
    gain = book.gains.get((account, asset), ZERO) - holding.settled.get(asset, ZERO)
    return holding.wallet.get(asset, ZERO) + gain - book.ring_fenced(account, asset)


@lawful
def equity(book: Book, state: State, account: str, asset: str | None = None) -> Decimal:
    """Equity of an account in numeraire, or the part of it in one asset."""
    if asset is not None:
        return equity_units(book, state, account, asset) * book.price(asset)

    def added_up() -> Decimal:
        names = held_assets(book, state, account)
        return sum((equity_units(book, state, account, c) * book.price(c) for c in names), ZERO)

    return book.once(("equity", account, state.holdings[account]), added_up)
