"""The configuration of a service or a single run: accounts, keys by reference, mandate, modes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator, model_validator

from allocator.models.base import Name, NonNegative, Positive, Value
from allocator.models.books import BookConfig, book_problems_of
from allocator.models.controls import ApprovalConfig, ControlsConfig
from allocator.models.mandate import Mandate
from allocator.models.pools import Pool, pool_problems
from allocator.models.service import ServiceConfig, check_looks, unwatched
from allocator.models.snapshot import MoveRule, Route

Mode = Literal["dry", "loopback", "live"]
Wallet = Literal["unified", "funding", "spot", "usdm", "coinm"]
Scope = Literal["address", "owner", "key"]
Heed = Literal["follow", "tell", "ignore"]


def check_secret(reference: str) -> str:
    """Refuse a secret that stands in the file itself."""
    if not reference.startswith(("file:", "env:")):
        raise ValueError("a secret is given by reference: file:PATH or env:NAME")
    return reference


class LoginConfig(Value):
    """A set of keys at a venue.

    Attributes
    ----------
    venue
        The exchange, or ``paper``: a venue within the process.
    key, secret, passphrase
        ``file:PATH`` or ``env:NAME``; a passphrase where the venue wants one beside the keys. At
        Hyperliquid `key` is the address of the account and `secret` the key that signs for it.
    member
        The venue's own id of the user the keys belong to (Bybit member id, Binance e-mail,
        Deribit, Gate or KuCoin user id, Kraken account uid, Hyperliquid address, OKX sub-account
        name or, of a main account, any name).
    master
        The login that may move money between sub-accounts; None: this one is it. At Hyperliquid an
        API wallet moves none: its login names one of the user's own address and key.
    """

    venue: Literal[
        "bybit", "binance", "bitget", "deribit", "gate", "hyperliquid", "krakenfutures",
        "kucoinfutures", "okx", "paper",
    ]  # fmt: skip
    key: str
    secret: str
    passphrase: str | None = None
    member: str | None = None
    master: Name | None = None

    @field_validator("key", "secret", "passphrase")
    @classmethod
    def _is_a_reference(cls, reference: str | None) -> str | None:
        return None if reference is None else check_secret(reference)

    @model_validator(mode="after")
    def _signs_with_all_it_needs(self) -> LoginConfig:
        if self.venue in {"bitget", "kucoinfutures", "okx"} and self.passphrase is None:
            raise ValueError(f"{self.venue} signs with a passphrase beside key and secret")
        return self

    @property
    def references(self) -> dict[str, str]:
        """The references of its secrets, by field."""
        found = {"key": self.key, "secret": self.secret, "passphrase": self.passphrase}
        return {field: reference for field, reference in found.items() if reference is not None}


class AccountConfig(Value):
    """One margin pool to gather and to act on.

    Attributes
    ----------
    id
        Names it everywhere.
    login
        Whose keys read it and act on it.
    wallet
        Which wallet of the login it is; ``unified`` where it has only one.
    owner
        Whose money it holds: limits may add up what one owner has at a venue, and positions move
        between accounts of one owner alone.
    control_group
        Accounts that must not trade with each other, and that limits may add up; None: those of the
        owner.
    instruments
        Symbols it may trade, without the venue's prefix, as ccxt writes them.
    order_budget
        Most orders of one plan in it; None: any number.
    ring_fenced
        Units by asset that are left where they are, and count in no equity.
    live
        Whether orders may be sent in live mode.
    """

    id: Name
    login: Name
    wallet: Wallet
    owner: Name
    control_group: Name | None = None
    instruments: tuple[Name, ...] = ()
    order_budget: int | None = Field(default=None, ge=0)
    ring_fenced: Mapping[str, NonNegative] = Field(default_factory=dict[str, NonNegative])
    live: bool = False


class AddressConfig(Value):
    """Where an on-chain route ends, as registered at the sending venue.

    Attributes
    ----------
    network
        The network, as the sending venue names it.
    address
        The address itself.
    tag
        Memo or tag, where the network has one.
    """

    network: Name
    address: Name
    tag: Name | None = None


class AssetConfig(Value):
    """What no venue tells of an asset.

    Attributes
    ----------
    price
        Numeraire a unit, fixed; None: as the venues price it.
    underlying
        What holding it is exposure to; None: nothing.
    haircut
        Fraction of its value that is no collateral; None: as the venue tells it.
    """

    price: Positive | None = None
    underlying: Name | None = None
    haircut: NonNegative | None = None


class RateConfig(Value):
    """A bound of requests, as a venue granted it or as it is to be kept.

    Attributes
    ----------
    venue
        Which venue counts so.
    scope
        Who is counted together: everybody at this address, all accounts of an owner, or a key.
    service
        Beginning of the name of the venue's service that it is of; empty: of all.
    units, window_s
        Units of request weight in any stretch of so many seconds.
    """

    venue: Name
    scope: Scope
    service: str = ""
    units: Positive
    window_s: Positive


class GatherConfig(Value):
    """How long reading may take, how old data may be, and what a venue's own word is worth.

    Attributes
    ----------
    deadline_s
        Seconds within which everything is read; what is not is frozen in the snapshot.
    max_age_s
        Seconds after which what was read counts as not read.
    max_clock_skew_s
        Seconds that a venue's clock may differ from ours.
    status
        By venue: ``follow`` lets its accounts do what it says that they can; ``tell`` only shows
        it and lets it fire triggers; ``ignore`` does not ask. A venue that is not named is
        followed.
    """

    deadline_s: Positive = Decimal(10)
    max_age_s: Positive = Decimal(60)
    max_clock_skew_s: Positive = Decimal(1)
    status: Mapping[Name, Heed] = Field(default_factory=dict[Name, Heed])

    def follows(self, venue: str) -> bool:
        """Tell whether a venue's own word says what its accounts can do."""
        return self.status.get(venue, "follow") == "follow"


class ExecutionConfig(Value):
    """How actions are carried out.

    Attributes
    ----------
    style
        How orders are worked: ``ioc`` takes what is there; ``post_only`` rests on its own side
        first, each time priced anew, and takes what is left after the last try. Of a group, only
        the leg that leads rests; its hedges take.
    collar_bps
        Basis points beyond the best price that an order which takes may reach, within the plan's
        worst price; None: the worst price itself.
    post_only_timeout_s, post_only_tries
        Seconds that an order rests, and how often a slice is tried so.
    order_timeout_s
        Seconds after which what is left of an order is cancelled.
    transfer_timeout_s
        Seconds after which a transfer that has not arrived is handed to an operator.
    unknown_deadline_s
        Seconds after which an unknown outcome is handed to an operator; longer than orders are
        left in the market.
    poll_s
        Seconds between two looks at a venue.
    """

    style: Literal["ioc", "post_only"] = "ioc"
    collar_bps: NonNegative | None = None
    post_only_timeout_s: Positive = Decimal(5)
    post_only_tries: int = Field(default=3, ge=1)
    order_timeout_s: Positive = Decimal(10)
    transfer_timeout_s: Positive = Decimal(3600)
    unknown_deadline_s: Positive = Decimal(120)
    poll_s: Positive = Decimal("0.2")

    @model_validator(mode="after")
    def _cancels_in_time(self) -> ExecutionConfig:
        for name in ("post_only_timeout_s", "order_timeout_s"):
            if getattr(self, name) >= self.unknown_deadline_s:
                raise ValueError(f"{name}: below unknown_deadline_s={self.unknown_deadline_s}")
        return self


class Config(Value):
    """Everything a run needs beside the venues' own data.

    Attributes
    ----------
    version
        Of this form of the file.
    mode
        ``dry``: nothing can be sent; ``loopback``: to loopback exchanges alone; ``live``: accounts
        marked live may trade.
    installation
        Names the book and whoever leads it: a database belongs to one.
    database
        URL of SQLite or PostgreSQL; its password stays in PGPASSWORD or a password file.
    loopback_url
        Where the loopback exchanges listen; needed in mode loopback.
    logins
        Keys by reference.
    accounts
        What is gathered and acted on.
    assets
        What no venue tells of them.
    routes
        Ways of money between accounts.
    addresses
        By id of an on-chain route.
    moves
        Which positions may be carried between accounts.
    rates
        Bounds of requests in the place of the venues' own.
    mandate
        Its first version; later ones are drafted and published.
    gather
        Reading.
    execution
        Sending.
    controls
        Limits of what is sent.
    approval
        Who lets a plan go.
    service
        What `allocator run` does.
    books
        Several mandates, each over accounts of its own; empty: all accounts are one book.
    """

    version: Literal[1] = 1
    mode: Mode = "dry"
    installation: Name = "allocator"
    database: str = "sqlite:///var/allocator.db"
    loopback_url: str | None = None
    logins: Mapping[str, LoginConfig] = Field(default_factory=dict[str, LoginConfig])
    accounts: tuple[AccountConfig, ...] = ()
    assets: Mapping[str, AssetConfig] = Field(default_factory=dict[str, AssetConfig])
    routes: tuple[Route, ...] = ()
    addresses: Mapping[str, AddressConfig] = Field(default_factory=dict[str, AddressConfig])
    moves: tuple[MoveRule, ...] = ()
    rates: tuple[RateConfig, ...] = ()
    mandate: Mandate = Mandate()
    gather: GatherConfig = GatherConfig()
    execution: ExecutionConfig = ExecutionConfig()
    controls: ControlsConfig = ControlsConfig()
    approval: ApprovalConfig = ApprovalConfig()
    service: ServiceConfig = ServiceConfig()
    books: tuple[BookConfig, ...] = ()

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> Config:
        for account in self.accounts:
            if account.login not in self.logins:
                raise ValueError(f"account {account.id}: no login {account.login}")
        for name, login in self.logins.items():
            if login.master is not None and login.master not in self.logins:
                raise ValueError(f"login {name}: no master login {login.master}")
        unknown = self.addresses.keys() - {route.id for route in self.routes}
        if unknown:
            raise ValueError(f"addresses: no route {sorted(unknown)[0]}")
        if self.mode == "loopback" and not self.loopback_url:
            raise ValueError("mode loopback needs loopback_url")
        if self.books and (problems := list(book_problems_of(self))):
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _counts_each_pool_once(self) -> Config:
        told = [what for _, what in pool_problems(self.pools({}))]
        if told:
            raise ValueError("; ".join(told))
        return self

    def pools(self, keys: Mapping[str, str]) -> list[Pool]:
        """Tell whose each account is, by the keys of logins where they are known."""
        return [
            Pool(
                account=row.id,
                wallet=row.wallet,
                login=row.login,
                venue=login.venue,
                key=keys.get(row.login, login.key),
                member=login.member or "",
                root=login.master or row.login,
            )
            for row in self.accounts
            for login in (self.logins[row.login],)
        ]

    @model_validator(mode="after")
    def _heeds_what_exists(self) -> Config:
        away = self.gather.status.keys() - {login.venue for login in self.logins.values()}
        if away:
            raise ValueError(f"gather.status: no login of venue {sorted(away)[0]}")
        return self

    @model_validator(mode="after")
    def _watches_what_exists(self) -> Config:
        apart = [(row.triggers, set(row.accounts)) for row in self.books]
        problems = list[str]()
        for rules, mine in apart or [(self.service.triggers, {row.id for row in self.accounts})]:
            logins = {row.login for row in self.accounts if row.id in mine}
            venues = {row.venue for name, row in self.logins.items() if name in logins}
            check_looks(self.service.poll_s, rules)
            problems += unwatched(rules, mine, venues)
        if problems:
            raise ValueError("; ".join(problems))
        return self
