"""Rows of wallets: what transfers and spot orders may take, and what may leave."""

from __future__ import annotations

import numpy as np

from allocator.program.affine import Affine, Draft
from allocator.program.core import Core
from allocator.program.sparse import sp


def wallet_rows(core: Core, draft: Draft, *, funded_first: bool = False) -> None:
    """Keep wallets that transfers and spot orders touch, and what may leave.

    A wallet that starts below what is ring-fenced takes no net outflow; derivative fees may take
    any below.

    Parameters
    ----------
    core, draft
        The program so far.
    funded_first
        Whether wallets must also stand once all transfers are done and nothing else.
    """
    net = core.flow - core.spot_paid
    _balances(core, draft, net)
    if funded_first:
        _balances(core, draft, net.only(core.layout.transfers))
    _withdrawable(core, draft)


def _balances(core: Core, draft: Draft, net: Affine) -> None:
    wallets = core.arrays.wallets
    touched = np.flatnonzero(np.asarray(abs(net.X).sum(axis=1)).ravel() > 0)
    room = np.maximum(wallets.wallet - wallets.ring, 0.0)
    labels = [("balance", *wallets.keys[at]) for at in touched]
    draft.rows(net.take(touched), -room[touched], np.inf, labels)


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
