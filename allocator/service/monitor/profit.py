"""What an account earned between two moments, in parts that add up exactly; pure.

With wallets w (units), prices p, unrealised profit U (numeraire), flows f and fees c (cumulative
units, from the journal) at the two moments 0 and 1:

    pnl = E1 - E0 - sum (f1 - f0) p1
        = revaluation + unrealised + funding + fees + realised + other
    revaluation = sum w0 (p1 - p0)              unrealised = U1 - U0
    fees        = -sum (c1 - c0) p1             funding = -sum q0 n0 rate0 x settlements between

What is left of the wallets' change is `realised` where we traded in between, and `other` where
we did not: somebody paid in, took out, or traded beside us. Funding is reckoned from the rate
told before; its error is in the same remainder.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import Field

from allocator.models.base import ZERO, Num, Utc, Value
from allocator.state import Book, lawful, published

PARTS = ("realised", "unrealised", "funding", "fees", "revaluation", "other")

OUTSIDE = "(outside)"
"""In the place of an account, of money that people told came from outside: into which it came
nobody told."""


class Flows(Value):
    """What the journal says went through an account so far, units by asset.

    Attributes
    ----------
    moved
        Transfers: arrived less sent, without charges.
    fees
        Charges paid.
    fills
        How many fills there were, of any size.
    """

    moved: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    fees: Mapping[str, Num] = Field(default_factory=dict[str, Num])
    fills: Num = ZERO


class Held(Value):
    """A perpetual position as it pays funding: a settlement costs `due` numeraire, long pays."""

    due: Num
    interval_h: Num
    next_at: Utc | None = None


class Moment(Value):
    """What an account held at one moment.

    Attributes
    ----------
    wallet
        Units by asset, without what is ring-fenced.
    unrealised
        Numeraire.
    """

    at: Utc
    wallet: Mapping[str, Num]
    prices: Mapping[str, Num]
    unrealised: Num
    held: tuple[Held, ...] = ()
    flows: Flows = Flows()

    @property
    def equity(self) -> Decimal:
        """Wallets at their prices, and unrealised profit."""
        worth = sum((u * self.prices[c] for c, u in self.wallet.items()), ZERO)
        return worth + self.unrealised


class Profit(Value):
    """What was earned, numeraire; `flows` was paid in (negative: out) and is no profit."""

    realised: Num = ZERO
    unrealised: Num = ZERO
    funding: Num = ZERO
    fees: Num = ZERO
    revaluation: Num = ZERO
    other: Num = ZERO
    flows: Num = ZERO

    @property
    def total(self) -> Decimal:
        """All parts together."""
        return sum((getattr(self, name) for name in PARTS), ZERO)

    def plus(self, other: Profit) -> Profit:
        """Add up what was earned in two intervals."""
        return Profit(
            **{name: getattr(self, name) + getattr(other, name) for name in (*PARTS, "flows")}
        )


class Earned(Value):
    """What an account earned since a mark, by whose time the interval is known."""

    since: Utc
    profit: Profit

    def plus(self, more: Profit) -> Earned:
        """Add what was earned since."""
        return self.model_copy(update={"profit": self.profit.plus(more)})


@lawful
def moment(book: Book, account: str, flows: Flows) -> Moment:
    """Take down what profit is reckoned from."""
    row = book.accounts[account]
    wallet = {
        asset: balance.wallet - row.ring_fenced.get(asset, ZERO)
        for asset, balance in row.balances.items()
    }
    gains = {c: gain for (a, c), gain in book.gains.items() if a == account}
    held = list[Held]()
    for name in row.positions:
        funding = book.instruments[name].funding
        quantity = book.quantity[account, name]
        if funding is not None and quantity:
            due = quantity * book.units[name].notional * funding.rate
            held.append(
                Held(due=published(due), interval_h=funding.interval_h, next_at=funding.next_at)
            )
    assets = wallet.keys() | flows.moved.keys() | flows.fees.keys()
    return Moment(
        at=book.snapshot.as_of,
        wallet=wallet,
        prices={c: book.price(c) for c in assets if c in book.snapshot.assets},
        unrealised=published(sum((gain * book.price(c) for c, gain in gains.items()), ZERO)),
        held=tuple(held),
        flows=flows,
    )


@lawful
def profit(before: Moment, after: Moment) -> Profit:
    """Tell what an account earned between two moments.

    An asset that one moment has no price of is valued at the other's.
    """
    prices = {**before.prices, **after.prices}
    old = {**after.prices, **before.prices}
    assets = before.wallet.keys() | after.wallet.keys()
    held = {c: (before.wallet.get(c, ZERO), after.wallet.get(c, ZERO)) for c in assets}
    revaluation = sum((w0 * (prices[c] - old[c]) for c, (w0, _) in held.items()), ZERO)
    change = sum(((w1 - w0) * prices[c] for c, (w0, w1) in held.items()), ZERO)
    flows = _worth(before.flows.moved, after.flows.moved, prices)
    fees = -_worth(before.flows.fees, after.flows.fees, prices)
    funding = -sum((row.due * settled(row, before.at, after.at) for row in before.held), ZERO)
    rest = change - flows - fees - funding
    traded = after.flows.fills != before.flows.fills
    return Profit(
        realised=rest if traded else ZERO,
        unrealised=after.unrealised - before.unrealised,
        funding=funding,
        fees=fees,
        revaluation=revaluation,
        other=ZERO if traded else rest,
        flows=flows,
    )


def settled(row: Held, after: datetime, until: datetime) -> int:
    """Count the settlements of funding in (after, until].

    Where the venue does not say when they are, they are at multiples of the interval from
    midnight UTC.
    """
    interval = timedelta(seconds=float(row.interval_h * 3600))
    anchor = row.next_at or until.replace(hour=0, minute=0, second=0, microsecond=0)
    return (until - anchor) // interval - (after - anchor) // interval


def _worth(
    before: Mapping[str, Decimal], after: Mapping[str, Decimal], prices: Mapping[str, Decimal]
) -> Decimal:
    return sum(
        (
            (after.get(c, ZERO) - before.get(c, ZERO)) * prices[c]
            for c in before.keys() | after.keys()
            if c in prices
        ),
        ZERO,
    )
