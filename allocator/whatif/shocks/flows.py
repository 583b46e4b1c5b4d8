"""What comes into a book from outside: money, and trades that somebody made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from allocator.models.account import Account, Balance, Position
from allocator.models.base import ZERO
from allocator.models.errors import Problem
from allocator.models.market import Instrument
from allocator.models.snapshot import Snapshot
from allocator.whatif.shock import Flow, HandTrade, Shock
from allocator.whatif.shocks.prices import gain


def flowed(snapshot: Snapshot, shock: Shock) -> tuple[Snapshot, list[Problem]]:
    """Apply deposits, then withdrawals, then trades made by hand.

    Returns
    -------
    snapshot, problems
        The book after them, and what cannot have happened; paths start inside the shock.
    """
    accounts, found = dict(snapshot.account), list[Problem]()
    for row in shock.deposits:
        accounts[row.account] = _deposit(accounts[row.account], row)
    for i, row in enumerate(shock.withdrawals):
        account = accounts[row.account]
        found += _too_much(account, row, i)
        accounts[row.account] = _withdrawal(account, row)
    for i, trade in enumerate(shock.positions):
        account, inst = accounts[trade.account], snapshot.instrument[trade.instrument]
        wrong = list(_impossible(account, inst, i))
        found += wrong
        if not wrong:
            accounts[trade.account] = _traded(account, inst, trade)
    return snapshot.model_copy(update={"accounts": tuple(accounts.values())}), found


def _with(account: Account, asset: str, wallet: Decimal, free: Decimal | None) -> Account:
    rows = {**account.balances, asset: Balance(wallet=wallet, withdrawable=free)}
    return account.model_copy(update={"balances": rows})


def _deposit(account: Account, row: Flow) -> Account:
    """Add to wallet and withdrawable; what may not leave still may not."""
    held = account.balances.get(row.asset, Balance(wallet=ZERO, withdrawable=ZERO))
    free = None if held.withdrawable is None else held.withdrawable + row.amount
    return _with(account, row.asset, held.wallet + row.amount, free)


def _withdrawal(account: Account, row: Flow) -> Account:
    held = account.balances.get(row.asset, Balance(wallet=ZERO))
    free = None if held.withdrawable is None else max(held.withdrawable - row.amount, ZERO)
    return _with(account, row.asset, held.wallet - row.amount, free)


def _too_much(account: Account, row: Flow, i: int) -> Iterator[Problem]:
    held = account.balances.get(row.asset)
    wallet = held.wallet if held is not None else ZERO
    if row.amount > wallet:
        said = f"{row.amount} {row.asset} cannot leave {account.id}, which holds {wallet}"
        yield Problem(("withdrawals", i, "amount"), said)


def _impossible(account: Account, inst: Instrument, i: int) -> Iterator[Problem]:
    at = ("positions", i, "instrument")
    row = account.positions.get(inst.id)
    if inst.venue != account.venue:
        yield Problem(at, f"{account.id} is at {account.venue}, not at {inst.venue}")
    elif row is not None and (row.legs is not None or row.isolated is not None):
        yield Problem(at, "the pair has legs or a margin of its own: write it out as an override")


def _traded(account: Account, inst: Instrument, trade: HandTrade) -> Account:
    price = trade.price if trade.price is not None else inst.mark
    if inst.is_spot:
        return _spot(account, inst, trade.quantity, price)
    old = account.positions.get(inst.id)
    paid = inst.model_copy(update={"mark": price})
    profit = _unrealised(old, inst) + trade.quantity * gain(paid, inst.mark)
    quantity = trade.quantity + (old.net if old is not None else ZERO)
    if not quantity:  # what nobody holds any more has paid out
        held = account.balances.get(inst.cash, Balance(wallet=ZERO))
        account = _with(account, inst.cash, held.wallet + profit, held.withdrawable)
    row = _place(old, trade, quantity, profit if quantity else None)
    return account.model_copy(update={"positions": {**account.positions, inst.id: row}})


def _unrealised(row: Position | None, inst: Instrument) -> Decimal:
    """Tell what a position has earned so far, settle units."""
    if row is None or not row.net:
        return ZERO
    if row.unrealised is not None:
        return row.unrealised
    assert row.entry_price is not None
    return row.net * gain(inst.model_copy(update={"mark": row.entry_price}), inst.mark)


def _place(
    old: Position | None, trade: HandTrade, quantity: Decimal, profit: Decimal | None
) -> Position:
    update: dict[str, object] = {"quantity": quantity, "unrealised": profit, "entry_price": None}
    if trade.leverage is not None:
        update["leverage"] = trade.leverage
    if old is not None:
        return old.model_copy(update=update)
    new = Position(quantity=ZERO, leverage=trade.leverage, tradable=trade.leverage is not None)
    return new.model_copy(update=update)


def _spot(account: Account, inst: Instrument, quantity: Decimal, price: Decimal) -> Account:
    assert inst.base is not None
    assert inst.quote is not None
    for asset, change in ((inst.base, quantity), (inst.quote, -quantity * price)):
        held = account.balances.get(asset, Balance(wallet=ZERO))
        free = held.withdrawable
        if free is not None and change < 0:
            free = max(free + change, ZERO)
        account = _with(account, asset, held.wallet + change, free)
    return account
