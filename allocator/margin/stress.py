"""Margin pools at shocked prices: the mandate's stress cases.

Balances, unrealised profit and notionals are revalued. With s = 1 + shock of an underlying:
linear and quanto contracts gain q x contract_size x mark x (s - 1) of the settle asset, inverse
ones q x contract_size x (1/mark - 1/(s mark)) of the coin with an unchanged notional, options
their delta times the move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from allocator.margin.collateral import collateral, collateral_units, pool_assets
from allocator.margin.lines import Lines
from allocator.margin.pools import contracts_carried, requirements
from allocator.margin.terms import Reaction, ratios_of, reaction_of, terms_of
from allocator.models.base import ONE, ZERO
from allocator.models.mandate import Stress
from allocator.models.market import Instrument
from allocator.state import Book, State, lawful


@dataclass(frozen=True, slots=True)
class Response:
    """What a price move does to one contract of an instrument.

    Attributes
    ----------
    gain
        Settle units gained per contract.
    scale
        Factor on its notional.
    """

    gain: Decimal
    scale: Decimal


@lawful
def response(book: Book, row: Instrument, moves: Mapping[str, Decimal]) -> Response:
    """Work out how a contract answers to relative price moves by underlying."""
    return answer(reaction_of(book, row), moves)


def answer(reaction: Reaction, moves: Mapping[str, Decimal]) -> Response:
    """Work out what price moves do to a contract that reacts in a known way."""
    move = moves.get(reaction.own or "", ZERO)
    own = ONE + move
    scale = own if reaction.own_scales else ONE
    if reaction.coin_scales:
        scale *= ONE + moves.get(reaction.coin or "", ZERO)
    if reaction.form == "inverse":
        return Response(reaction.gain * move / own, scale)
    return Response(reaction.gain * move, scale)


class Shocked:
    """One margin pool in a state, whose prices can be moved.

    Parameters
    ----------
    arrivals
        Whether money that was on its way before the plan counts as collateral.

    Attributes
    ----------
    held
        Signed contracts that need margin, by instrument.
    units
        Units that are collateral, by asset.
    fixed
        Whether maintenance margin answers to no move: scenario margin has moves of its own.
    kept
        Maintenance margin at the snapshot's prices, numeraire.
    rest
        Maintenance margin less collateral at the snapshot's prices, numeraire.
    """

    def __init__(
        self,
        book: Book,
        state: State,
        account: str,
        pool: str | None = None,
        arrivals: bool = False,
    ) -> None:
        self.book, self.account = book, account
        self.terms = terms_of(book, account)
        self.held = contracts_carried(book, state, account, pool)
        names = pool_assets(book, state, account, pool, arrivals)
        self.units = {c: collateral_units(book, state, account, c, arrivals) for c in names}
        self.fixed = self.terms.model == "scenario"
        self.stocks: dict[str, tuple[Lines, Decimal, str | None]] = {}
        self.gaps: dict[str, Decimal] = {}
        self.kept = requirements(book, state, account, pool).maintenance
        self.rest = self.kept - collateral(book, state, account, pool, arrivals)

    @classmethod
    @lawful
    def of(
        cls,
        book: Book,
        state: State,
        account: str,
        pool: str | None = None,
        arrivals: bool = False,
    ) -> Shocked:
        """Look at a pool; once for each holding."""
        arrivals = arrivals and bool(book.arriving(account))
        key = ("shocked", account, pool, arrivals, state.holdings[account])
        return book.once(key, lambda: cls(book, state, account, pool, arrivals))

    @cached_property
    def moved(self) -> Mapping[str, tuple[str, ...]]:
        """What is held that answers to an underlying's price, by its name."""
        out: dict[str, list[str]] = {}
        for name in self.held:
            reaction = self.terms[name].reaction
            for underlying in {reaction.own, reaction.coin}:
                if underlying is not None:
                    out.setdefault(underlying, []).append(name)
        return {underlying: tuple(names) for underlying, names in out.items()}

    @cached_property
    def coins(self) -> Mapping[str, tuple[str, ...]]:
        """Assets held whose price is an underlying's, by its name."""
        out: dict[str, list[str]] = {}
        for asset in self.units:
            underlying = self.book.asset(asset).underlying
            if underlying is not None:
                out.setdefault(underlying, []).append(asset)
        return {underlying: tuple(names) for underlying, names in out.items()}

    def stock(self, asset: str) -> tuple[Lines, Decimal, str | None]:
        """Look up ratios, price and underlying of an asset."""
        if asset not in self.stocks:
            row, ratios = self.book.asset(asset), ratios_of(self.book, self.account, asset)
            self.stocks[asset] = (ratios, row.price, row.underlying)
        return self.stocks[asset]

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Underlyings whose price this pool depends on, sorted."""
        return tuple(sorted({*self.moved, *self.coins}))

    def stressed(self, stress: Stress) -> Decimal:
        """Compute the gap in one of the mandate's stress cases, numeraire; once for each."""
        if stress.id not in self.gaps:
            self.gaps[stress.id] = self.gap(stress.prices)
        return self.gaps[stress.id]

    @lawful
    def gains(self, moves: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
        """Add up what is gained at moved prices, units by asset."""
        out: dict[str, Decimal] = {}
        for name in dict.fromkeys(name for u in moves for name in self.moved.get(u, ())):
            pair = self.terms[name]
            gain = self.held[name] * answer(pair.reaction, moves).gain
            out[pair.cash] = out.get(pair.cash, ZERO) + gain
        return out

    @lawful
    def needed(self, moves: Mapping[str, Decimal]) -> Decimal:
        """Compute maintenance margin at moved prices, numeraire."""
        total = self.kept
        if self.fixed:
            return total
        for name in dict.fromkeys(name for u in moves for name in self.moved.get(u, ())):
            pair, scale = self.terms[name], answer(self.terms[name].reaction, moves).scale
            notional = pair.notional(self.held[name])
            total += pair.maintenance(notional * scale) - pair.maintenance(notional)
        return total

    @lawful
    def gap(self, moves: Mapping[str, Decimal]) -> Decimal:
        """Compute maintenance margin less collateral at moved prices, numeraire."""
        moved = dict.fromkeys(name for u in moves for name in self.moved.get(u, ()))
        units = {asset: self.units[asset] for u in moves for asset in self.coins.get(u, ())}
        gap = self.rest
        for name in moved:
            pair, quantity = self.terms[name], self.held[name]
            found = answer(pair.reaction, moves)
            held = units.get(pair.cash)
            held = self.units.get(pair.cash, ZERO) if held is None else held
            units[pair.cash] = held + quantity * found.gain
            if not self.fixed:
                notional = pair.notional(quantity)
                gap += pair.maintenance(notional * found.scale) - pair.maintenance(notional)
        for asset, amount in units.items():
            ratios, price, underlying = self.stock(asset)
            shocked = ratios(amount) * (ONE + moves.get(underlying or "", ZERO))
            gap += (ratios(self.units.get(asset, ZERO)) - shocked) * price
        return gap


def binding_stresses(book: Book, account: str) -> tuple[Stress, ...]:
    """List the stress cases that bind an account: a scenario model has cases of its own."""
    if book.accounts[account].margin.model == "scenario":
        return ()
    return book.policy.stress
