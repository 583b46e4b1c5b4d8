"""Rows of wallets: what transfers and spot orders may take, and what may leave."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocator.program.affine import Affine, Draft
from allocator.program.core import Core
from allocator.program.separable import Index, Vector
from allocator.program.sparse import sp


def wallet_rows(core: Core, draft: Draft, *, funded_first: bool = False) -> None:
    """Keep wallets that transfers and spot orders touch, and what may leave.

    A wallet that starts below what is ring-fenced takes no net outflow; derivative fees may take
    any below. Profit that a move settles may be spent. A loss that it settles may take a wallet
    below as well, but not one that transfers or spot orders touch.

    Parameters
    ----------
    core, draft
        The program so far.
    funded_first
        Whether wallets must also stand once all transfers are done and nothing else.
    """
    net = core.flow - core.spot_paid
    _balances(core, draft, net, net + gains(core))
    _settling(core, draft, net)
    if funded_first:
        transfers = net.only(core.layout.transfers)
        _balances(core, draft, transfers, transfers)
    _withdrawable(core, draft)


def gains(core: Core) -> Affine:
    """Profit that moves settle, by wallet key, without the losses."""
    return replace(core.settled, X=core.settled.X.maximum(0).tocsr())


@dataclass(frozen=True, slots=True)
class Touched:
    """Wallets in which moves may settle a loss, with each action that touches them.

    Attributes
    ----------
    wallet, action
        Wallet key and transfer or spot order.
    loss
        The largest loss that moves settle there, units.
    """

    wallet: Index
    action: Index
    loss: Vector


def settling(core: Core) -> Touched:
    """List every action upon whose use settled losses count."""
    loss = -(core.settled.X.minimum(0) @ core.top)
    wallet, action = (core.flow - core.spot_paid).X.tocoo().coords
    used = (loss[wallet] > 0) & (core.top[action] > 0)
    return Touched(wallet[used], action[used], np.asarray(loss[wallet[used]]))


def room_of(core: Core) -> Vector:
    """Work out what flows may take from each wallet."""
    return np.maximum(core.arrays.wallets.wallet - core.arrays.wallets.ring, 0.0)


def _balances(core: Core, draft: Draft, net: Affine, rule: Affine) -> None:
    touched = np.flatnonzero(np.asarray(abs(net.X).sum(axis=1)).ravel() > 0)
    labels = [("balance", *core.arrays.wallets.keys[at]) for at in touched]
    draft.rows(rule.take(touched), -room_of(core)[touched], np.inf, labels)


def _settling(core: Core, draft: Draft, net: Affine) -> None:
    """Add a row for each action that touches a wallet with losses; unused, it asks for nothing."""
    row, keys = settling(core), core.arrays.wallets.keys
    count = row.wallet.size
    shape = (count, core.layout.count)
    uses = sp.csr_array((-row.loss, (np.arange(count), row.action)), shape=shape)
    rule = (net + core.settled).take(row.wallet)
    draft.rows(
        replace(rule, Z=(rule.Z + uses).tocsr()),
        -room_of(core)[row.wallet] - row.loss,
        np.inf,
        [("balance", *keys[at]) for at in row.wallet],
    )


def _withdrawable(core: Core, draft: Draft) -> None:
    wallets, routes, at = core.arrays.wallets, core.arrays.routes, core.layout.transfers
    shape = (len(wallets.keys), core.layout.count)
    X = sp.csr_array((1.0 + routes.rate, (routes.source, at)), shape=shape)
    Z = sp.csr_array((routes.fee, (routes.source, at)), shape=shape)
    senders = np.unique(routes.source)
    draft.rows(
        Affine(X, Z, np.zeros(shape[0])).take(senders),
        -np.inf,
        wallets.withdrawable[senders],
        [("withdrawable", *wallets.keys[wallet]) for wallet in senders],
    )
