"""The separate margin sums: an account, or an account and a settle asset in single-asset mode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.margin import pools
from allocator.program.arrays import Arrays
from allocator.program.separable import Index, Mask
from allocator.program.sparse import Matrix, sp

BROKEN = 1e-6
"""Numeraire from which an excess counts as broken."""


@dataclass(frozen=True)
class Keys:
    """The separate margin sums.

    Attributes
    ----------
    names
        (account, settle asset or empty).
    of_wallet, of_pair
        0/1 matrices from wallets and pairs to keys.
    pair_key
        Key of each pair, -1 for none.
    scenario
        Which keys are margined by scenarios.
    late
        Which keys have money on its way to them.
    """

    names: tuple[tuple[str, str], ...]
    of_wallet: Matrix
    of_pair: Matrix
    pair_key: Index
    scenario: Mask
    late: Mask


def keys_of(arrays: Arrays) -> Keys:
    """List the margin sums of accounts that are not frozen."""
    book, names = arrays.book, list[tuple[str, str]]()
    for number, name in enumerate(arrays.accounts):
        if not arrays.frozen[number]:
            names += [(name, pool or "") for pool in pools(book, name)]
    at = {name: number for number, name in enumerate(names)}

    def key(account: str, asset: str) -> int:
        return at.get((account, ""), at.get((account, asset), -1))

    wallets = np.array([key(a, c) for a, c in arrays.wallets.keys], dtype=np.int64)
    cash = [book.instruments[i].cash for _, i in arrays.pairs.keys]
    pairs = np.array(
        [key(a, c) for (a, _), c in zip(arrays.pairs.keys, cash, strict=True)], dtype=np.int64
    )
    pairs = np.where(arrays.pairs.isolated, -1, pairs)
    of_wallet = _selector(wallets, len(names))
    models = [book.accounts[name].margin.model for name, _ in names]
    return Keys(
        names=tuple(names),
        of_wallet=of_wallet,
        of_pair=_selector(pairs, len(names)),
        pair_key=pairs,
        scenario=np.array([model == "scenario" for model in models], dtype=bool),
        late=np.asarray(of_wallet @ arrays.wallets.arriving > 0, dtype=bool),
    )


def _selector(key: Index, count: int) -> Matrix:
    used = np.flatnonzero(key >= 0)
    return sp.csr_array((np.ones(used.size), (key[used], used)), shape=(count, key.size))
