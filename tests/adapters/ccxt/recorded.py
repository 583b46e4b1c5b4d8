"""What the numbered cases need to know of a venue that answers from its documentation."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator
from allocator.models.config import Config
from allocator.models.intents import OrderIntent, TransferIntent
from tests.adapters.ccxt.conftest import run_with
from tests.adapters.ccxt.replay import Answer, Replay, replaying

KEY = "0123456789abcdef0123456789abcdef"
Table = dict[str, Answer]


@dataclass(frozen=True)
class Refusals:
    """Answers by which a venue refuses an order, each from its table of errors.

    Attributes
    ----------
    funds, step, stale, post_only, reduce_only
        Not enough money, a quantity off its steps, a stamp or deadline that has passed, a maker's
        order that would take, a reducing one that would add. None: no page tells its words for it.
    duplicate
        The client id is known; None: the venue is not told to refuse one.
    gone
        A cancel that came too late.
    """

    funds: Answer
    step: Answer
    stale: Answer | None
    post_only: Answer | None
    reduce_only: Answer
    gone: Answer
    duplicate: Answer | None = None


@dataclass(frozen=True)
class Recorded:
    """A venue's recordings, and the words for what is asked of it.

    Attributes
    ----------
    name
        What the table of cases calls it; the venue's, unless it is one of its kinds of account.
    trades, sends, receives
        Accounts that orders, and a transfer between two of them, are for.
    order, cancel, moved, lookup, reads
        Rows of the writes, of the look-up of an order, and of a read of the account.
    found, resting
        What a look-up of the order with this client id is answered when it was filled, or stands.
    named, standing
        What the venue calls an order with the client id `KEY`, and what its list of open orders
        answers when one that is called so stands.
    fees
        What the fills of `found` cost.
    market
        What the venue calls the instrument in an order.
    step_quantity
        A quantity off the venue's step that has to arrive as it is.
    unequal
        Changes of the table that break the equity identity.
    exact
        Changes of the table by which balances of a tenth and of twenty digits are read, and whose.
    fenced
        Whether the venue refuses a transfer once its window has passed: one that it may still carry
        out later is never told as absent.
    unable
        What the capability table says cannot be done, by name of the field, and nothing else.
    """

    venue: str
    host: str
    table: Callable[[], Table]
    login: Mapping[str, str]
    accounts: tuple[Mapping[str, Any], ...]
    instrument: str
    quantity: str
    price: str
    trades: str
    order: str
    cancel: str
    lookup: str
    reads: str
    refusals: Refusals
    found: Callable[[str], Table]
    resting: Callable[[str], Table]
    named: str
    standing: Callable[[object], Table]
    fees: Mapping[str, str]
    step_quantity: str
    market: str
    unequal: Callable[[], Table]
    exact: Callable[[str], Table]
    exact_in: tuple[str, str]
    unable: frozenset[str]
    name: str = ""
    hosts: tuple[str, ...] = ()
    sends: str = ""
    receives: str = ""
    moved: str = ""
    transferred: Callable[[str], Table] | None = None
    fenced: bool = True
    asset: str = "USDT"
    assets: Mapping[str, Any] = field(
        default_factory=lambda: {"USDT": {"price": 1, "haircut": 0}, "PEPE": {"price": "0.00001"}}
    )

    def intent(self, **other: Any) -> OrderIntent:
        """Word an order."""
        return OrderIntent.model_validate(
            {"client_id": KEY, "account": self.trades, "instrument": self.instrument,
             "side": "sell", "quantity": self.quantity, "limit_price": self.price, **other}
        )  # fmt: skip

    def transfer(self) -> TransferIntent:
        """Word a transfer."""
        return TransferIntent(
            client_id=KEY, route="r", source=self.sends, target=self.receives,
            asset=self.asset, amount=Decimal("0.1"),
        )  # fmt: skip


@contextmanager
def playing(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Replay, Emulator, Config]]:
    """Serve a venue's recordings, and configure its accounts."""
    login = {"venue": recorded.venue}
    for word, value in recorded.login.items():
        if word in {"key", "secret", "passphrase"}:
            name = f"{recorded.venue}_{word}".upper()
            monkeypatch.setenv(name, value)
            login[word] = f"env:{name}"
        else:
            login[word] = value
    venue = Replay(recorded.host, recorded.table(), others=recorded.hosts)
    with replaying(venue) as emulator:
        data = {
            "mode": "loopback",
            "loopback_url": emulator.base_url,
            "logins": {"main": login},
            "accounts": [
                {"login": "main", "owner": "fund-one", **row} for row in recorded.accounts
            ],
            "assets": dict(recorded.assets),
        }
        yield venue, emulator, Config.model_validate(data)


def fixtures(recorded: Recorded) -> tuple[Any, Any, Any]:
    """Make a module's fixtures: the venue that answers, with its configuration, and each of both.

    To be named ``played``, ``venue`` and ``config`` there.
    """

    @pytest.fixture
    def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Replay, Config]]:
        with playing(recorded, monkeypatch) as (venue, _, config):
            yield venue, config

    @pytest.fixture
    def venue(played: tuple[Replay, Config]) -> Replay:
        return played[0]

    @pytest.fixture
    def config(played: tuple[Replay, Config]) -> Config:
        return played[1]

    return played, venue, config


def emulated(recorded: Recorded) -> tuple[Any, Any, Any, Any]:
    """Make a module's fixtures: those of `fixtures`, and the emulator that stands behind them.

    To be named ``played``, ``venue``, ``emulator`` and ``config`` there.
    """

    @pytest.fixture
    def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Replay, Emulator, Config]]:
        with playing(recorded, monkeypatch) as found:
            yield found

    @pytest.fixture
    def venue(played: tuple[Replay, Emulator, Config]) -> Replay:
        return played[0]

    @pytest.fixture
    def emulator(played: tuple[Replay, Emulator, Config]) -> Emulator:
        return played[1]

    @pytest.fixture
    def config(played: tuple[Replay, Emulator, Config]) -> Config:
        return played[2]

    return played, venue, emulator, config


def gathered(config: Config) -> Any:
    """Gather everything."""
    return run_with(config, lambda opened: opened.market.gather())


def sent(config: Config, intent: Any) -> Any:
    """Send an intent from the account it is of."""
    account = intent.account if isinstance(intent, OrderIntent) else intent.source
    return run_with(config, lambda opened: opened.venues[account].submit(intent))
