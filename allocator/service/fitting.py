"""Whether a mandate makes a sensible problem with the book that it is meant for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from allocator.models.account import Account, Fees
from allocator.models.base import ZERO
from allocator.models.config import AccountConfig, Config
from allocator.models.errors import ConfigError, Problem, SnapshotError
from allocator.models.mandate import Mandate
from allocator.models.parts import Part, Parts
from allocator.models.refusals import book_problems
from allocator.models.refusals_mandate import mandate_problems
from allocator.models.snapshot import Snapshot
from allocator.service.snapshots import MissingError, Snapshots

UNCHECKED = "not held against the book: nothing was gathered yet"
NAMED = "; so says the configuration: nothing was gathered yet"


class Fitting:
    """Holds mandates against the latest gathered snapshot, or the configuration without one.

    Parameters
    ----------
    config
        Names accounts, instruments and assets; None: without a snapshot nothing is checked.
    """

    def __init__(self, snapshots: Snapshots, config: Config | None) -> None:
        self._snapshots = snapshots
        self._config = config

    def check(self, mandate: Mandate) -> str:
        """Refuse a mandate that cannot be planned for.

        Returns
        -------
        What could not be checked; empty: all of it was.

        Raises
        ------
        SnapshotError
            When it makes no sensible problem with the latest snapshot.
        ConfigError
            Where nothing was gathered yet: when it names what the configuration does not have.
        """
        snapshot = self._latest()
        if snapshot is not None:
            problems = book_problems(snapshot, mandate)
            if problems:
                raise SnapshotError(problems)
            return ""
        if self._config is not None:
            problems = list(config_problems(self._config, mandate))
            if problems:
                raise ConfigError([Problem(row.path, f"{row.message}{NAMED}") for row in problems])
        return UNCHECKED

    def _latest(self) -> Snapshot | None:
        try:
            return self._snapshots.latest()
        except MissingError:
            return None


def config_problems(config: Config, mandate: Mandate) -> Iterator[Problem]:
    """Yield what a mandate names that a configuration does not have.

    Where an account does not list its instruments, any may come with what it holds: then only
    accounts, owners, groups and venues are known.
    """
    venue = {row.id: config.logins[row.login].venue for row in config.accounts}
    symbols = [(venue[row.id], name) for row in config.accounts for name in row.instruments]
    coins = {coin for _, name in symbols for coin in _coins(name)} | config.assets.keys()
    named = {row.underlying for row in config.assets.values() if row.underlying is not None}
    lists = bool(config.accounts) and all(row.instruments for row in config.accounts)
    rows = tuple(_account(row, venue[row.id]) for row in config.accounts)
    # Only who the accounts are is looked at, so neither the time nor any figure matters.
    known = Snapshot(as_of=datetime(2000, 1, 1, tzinfo=UTC), assets={}, accounts=rows)
    unnamed = set() if lists else {"assets", "instruments"}
    if not rows:
        unnamed.add("accounts")
    parts = replace(
        Parts.of(known, mandate),
        assets={name: Part(("assets", name), name, None) for name in coins},
        instruments=tuple(
            Part(("instruments", i), f"{at}:{name}", None) for i, (at, name) in enumerate(symbols)
        ),
        unnamed=frozenset(unnamed),
        underlyings=frozenset(coins | named),
    )
    yield from mandate_problems(parts)


def _coins(symbol: str) -> list[str]:
    """Name base, quote and settlement of a symbol as ccxt writes it.

    >>> _coins("BTC/USDT:USDT"), _coins("BTC/USD:BTC-261225-50000-C")
    (['BTC', 'USDT', 'USDT'], ['BTC', 'USD', 'BTC'])
    """
    pair, _, settle = symbol.partition(":")
    return [*pair.split("/"), *(name for name in (settle.partition("-")[0],) if name)]


def _account(row: AccountConfig, venue: str) -> Account:
    return Account(
        id=row.id,
        venue=venue,
        owner=row.owner,
        control_group=row.control_group,
        fees=Fees(taker=ZERO),
    )
