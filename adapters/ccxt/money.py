"""How money and positions are sent between accounts, and looked up: where each may go, and whose.

What a look-up finds without a key of ours is held against everything else that was sent; what one
finds by a key against what was asked for. All that it asks is urgent, as cancels and look-ups of
orders are: money that is under way holds up what follows it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from allocator.adapters.ccxt.alike import Alike
from allocator.adapters.ccxt.budgets import hurry
from allocator.adapters.ccxt.deposits import arrived_as
from allocator.adapters.ccxt.dialect import Deposit, Dialect, Trace, leads
from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.withdrawing import check_same, terms_now
from allocator.models.base import ZERO
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import Found, Intent, MoveIntent, TransferIntent
from allocator.models.snapshot import Route


@dataclass(frozen=True, slots=True)
class Directory:
    """Every configured account, how each venue is spoken to, where on-chain routes end.

    Attributes
    ----------
    alike
        What was sent without a key, over every account: some records do not tell the ends.
    routes
        What each address is registered for, by the route's id.
    """

    places: Mapping[str, Place]
    dialects: Mapping[str, Dialect]
    addresses: Mapping[str, AddressConfig]
    alike: Alike = field(default_factory=Alike)
    routes: Mapping[str, Route] = field(default_factory=dict[str, Route])

    def place(self, account: str) -> Place:
        """Find an account's place.

        Raises
        ------
        NotSentError
            When it is not configured.
        """
        if account not in self.places:
            raise NotSentError(f"account {account} is not configured")
        return self.places[account]

    def address(self, intent: TransferIntent) -> AddressConfig | None:
        """Find where a withdrawal ends; None: it is none.

        Raises
        ------
        NotSentError
            When its route is registered for another way, or another asset.
        """
        address, route = self.addresses.get(intent.route), self.routes.get(intent.route)
        asked = (intent.source, intent.target, intent.asset)
        if address is None:
            return None
        if route is None or (route.source, route.target, route.asset) != asked:
            raise NotSentError(f"route {intent.route} is not registered for {' '.join(asked)}")
        return address


@dataclass(frozen=True, slots=True)
class Money:
    """What leaves the accounts of one venue.

    Attributes
    ----------
    directory
        Where it may go.
    """

    venue: str
    directory: Directory

    @property
    def _dialect(self) -> Dialect:
        return self.directory.dialects[self.venue]

    async def send(self, intent: TransferIntent | MoveIntent) -> str:
        """Send it where the configuration lets it go, and return the venue's id.

        Raises
        ------
        NotSentError
            When that is nowhere, or a withdrawal's terms do not suit it.
        VenueError
            As the venue answers.
        """
        with hurry():
            return await self._send(intent)

    async def _send(self, intent: TransferIntent | MoveIntent) -> str:
        dialect, find = self._dialect, self.directory.place
        source, target = find(intent.source), find(intent.target)
        if not isinstance(intent, TransferIntent):
            return await dialect.send_move(source, target, intent)
        address = self.directory.address(intent)
        if address is not None:
            terms = await terms_now(dialect.networks, source, address, intent)
            return await dialect.send_withdrawal(source, address, intent, terms.fee)
        if source.venue != target.venue:
            raise NotSentError(f"route {intent.route} has no registered address")
        # A venue may send to whatever address it is told: that both are of one user is kept here.
        if source.master is not target.master or not leads(dialect, source.config, target.config):
            raise NotSentError(f"no transfer goes from {source.account} to {target.account}")
        return await dialect.send_transfer(source, target, intent)

    async def find(self, intent: TransferIntent | MoveIntent, trace: Trace) -> Found | None:
        """Look it up; None: it is not there.

        Raises
        ------
        VenueError
            When nobody can say.
        """
        with hurry():
            return await self._find(intent, trace)

    async def _find(self, intent: TransferIntent | MoveIntent, trace: Trace) -> Found | None:
        dialect, find = self._dialect, self.directory.place
        source, target = find(intent.source), find(intent.target)
        for login in (source.master, target.login):
            await login.prepare()
        if not isinstance(intent, TransferIntent):
            return await dialect.find_move(source, intent, trace)
        if intent.route not in self.directory.addresses:
            return await dialect.find_transfer(source, target, intent, trace)
        return await self._find_withdrawal(source, target, intent, trace)

    async def _find_withdrawal(
        self, source: Place, target: Place, intent: TransferIntent, trace: Trace
    ) -> Found | None:
        """Look a withdrawal up where it leaves, and its transaction where it arrives.

        Raises
        ------
        VenueError
            When it is told as of something else, or failed at the one and arrived at the other, or
            something else arrived.
        """
        address = self.directory.addresses[intent.route]
        sent = await self._dialect.find_withdrawal(source, address, intent, trace)
        if sent is None:
            return None
        check_same(sent, address, intent)
        found = await self._deposits(target, intent.asset, sent.txid)
        arrivals = arrived_as(
            sent, found, address, intent, target.venue, one_venue=target.venue == self.venue
        )
        arrived = bool(arrivals)
        if sent.failed and arrived:
            raise VenueError(f"withdrawal {sent.venue_id} failed, and its transaction arrived")
        return Found(
            venue_id=sent.venue_id,
            state="returned" if sent.failed else "settled" if arrived else "in_transit",
            filled=intent.amount if arrived else ZERO,
            fees={intent.asset: sent.fee} if sent.fee else {},
            venue_time=sent.at,
            arrivals=arrivals,
        )

    async def _deposits(self, target: Place, asset: str, txid: str | None) -> Sequence[Deposit]:
        """Read what arrived of a transaction: nothing yet, where the receiver does not tell."""
        if txid:
            with contextlib.suppress(VenueError):
                return await self.directory.dialects[target.venue].deposits(target, asset, txid)
        return ()

    def is_unkeyed(self, intent: Intent) -> bool:
        """Tell whether it is looked up by what was sent and when."""
        return self._kind(intent) in self._dialect.facts.unkeyed

    def _kind(self, intent: Intent) -> str:
        """Name the kind of an action as `Facts.unkeyed` does."""
        if not isinstance(intent, TransferIntent):
            return intent.kind
        if intent.route in self.directory.addresses:
            return "withdrawal"
        source = self.directory.places.get(intent.source)
        target = self.directory.places.get(intent.target)
        one = source is not None and target is not None and source.login is target.login
        return "own" if one else "members"

    def check_owned(
        self,
        intent: TransferIntent | MoveIntent,
        found: Found,
        since: datetime,
        venue_id: str | None,
    ) -> None:
        """Hold what was found by its likeness against what else was sent, and keep its name.

        What was found by another name than that of its acknowledgement was found by its likeness.

        Parameters
        ----------
        venue_id
            The name that it was asked for by; None: by none.

        Raises
        ------
        VenueError
            When it is, or may be, another action.
        """
        alike, mine = self.directory.alike, intent.client_id
        if found.venue_id == venue_id or not self.is_unkeyed(intent) or alike.has(mine, found):
            return
        if found.venue_id in alike.taken(mine):
            raise VenueError(f"{found.venue_id} is another action")
        named = self._dialect.facts.unkeyed[self._kind(intent)]
        if not named and alike.rivals(self.venue, intent, intent.stamped_at or since):
            raise VenueError("another action that looks the same was sent")
        alike.name(mine, found.venue_id)
