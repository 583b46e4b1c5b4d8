"""Coins on the move: between wallets of one owner, and out to an address."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from allocator.adapters.emulator.errors import Refusal, Refused
from allocator.adapters.emulator.exchange import Chain, Exchange
from allocator.adapters.emulator.market import on_step
from allocator.adapters.emulator.records import Transfer, Withdrawal


@dataclass(frozen=True, slots=True)
class Purse:
    """One wallet of one user."""

    user: str
    wallet: str


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """A transfer as the venue understood it; `by` asked for it, `route` names the endpoint.

    A `client_id` that is not empty makes it idempotent within (venue, route).
    """

    id: str
    client_id: str
    by: str
    route: str
    coin: str
    amount: Decimal
    source: Purse
    target: Purse


@dataclass(frozen=True, slots=True)
class NewWithdrawal:
    """A withdrawal as the venue understood it. `amount` is what the wallet loses.

    With `fee_on_top` the fee is taken beside it, otherwise out of it.
    """

    id: str
    client_id: str
    user: str
    wallet: str
    coin: str
    chain: str
    amount: Decimal
    address: str
    tag: str
    fee_on_top: bool


def transfer(exchange: Exchange, new: NewTransfer) -> Transfer:
    """Move coins at once, or after the world's `transfer` delay.

    Raises
    ------
    Refused
        DUPLICATE for a client id seen before, BALANCE when the source cannot spare the amount,
        UNKNOWN_ACCOUNT for a stranger, FORBIDDEN when the two have different owners.
    """
    ledger = exchange.ledger
    venue = new.source.user.partition(":")[0]
    if new.client_id and ledger.transfers.by("client", (venue, new.route, new.client_id)):
        raise Refused(Refusal.DUPLICATE, client_id=new.client_id)
    _check_owner(exchange, new)
    if new.amount <= 0:
        raise Refused(Refusal.BELOW_MINIMUM, amount=new.amount)
    free = exchange.venue_of(new.source.user).transferable(
        exchange, new.source.user, new.source.wallet, new.coin
    )
    if new.amount > free:
        raise Refused(Refusal.BALANCE, amount=new.amount, transferable=free)
    now_ms = exchange.clock.now_ms()
    due_ms = now_ms + exchange.world.delays_ms.get("transfer", 0)
    ledger.credit(new.source.user, new.source.wallet, new.coin, -new.amount)
    if due_ms <= now_ms:
        ledger.credit(new.target.user, new.target.wallet, new.coin, new.amount)
    return ledger.transfers.put(
        Transfer(
            id=new.id,
            client_id=new.client_id,
            venue=venue,
            by=new.by,
            route=new.route,
            coin=new.coin,
            amount=new.amount,
            from_user=new.source.user,
            from_wallet=new.source.wallet,
            to_user=new.target.user,
            to_wallet=new.target.wallet,
            status="done" if due_ms <= now_ms else "pending",
            seq=ledger.next("transfer"),
            time_ms=now_ms,
            due_ms=due_ms,
        )
    )


def chain_of(exchange: Exchange, venue: str, coin: str, name: str) -> Chain:
    """Return the network a venue calls `name` for a coin, or raise Refused."""
    for chain in exchange.world.chains:
        if (chain.venue, chain.coin, chain.name) == (venue, coin, name):
            return chain
    raise Refused(Refusal.UNKNOWN_ADDRESS, coin=coin, chain=name)


def withdraw(exchange: Exchange, new: NewWithdrawal) -> Withdrawal:
    """Send coins to an address; they arrive after the world's `withdrawal` delay.

    Raises
    ------
    Refused
        DUPLICATE for a client id seen before, BELOW_MINIMUM and LOT for the amount, BALANCE when
        the wallet cannot spare it, UNKNOWN_ADDRESS for an address nobody here has.
    """
    ledger = exchange.ledger
    if new.client_id and ledger.withdrawals.by("client", (new.user, new.client_id)):
        raise Refused(Refusal.DUPLICATE, client_id=new.client_id)
    venue = exchange.venue_of(new.user)
    chain = chain_of(exchange, venue.name, new.coin, new.chain)
    if not ledger.addresses.by("address", (new.address, new.tag)):
        raise Refused(Refusal.UNKNOWN_ADDRESS, address=new.address)
    cost = new.amount + (chain.withdraw_fee if new.fee_on_top else 0)
    sent = cost - chain.withdraw_fee
    if sent < chain.withdraw_min:
        raise Refused(Refusal.BELOW_MINIMUM, amount=sent, minimum=chain.withdraw_min)
    if not on_step(new.amount, Decimal(1).scaleb(-chain.decimals)):
        raise Refused(Refusal.LOT, amount=new.amount, decimals=chain.decimals)
    free = venue.transferable(exchange, new.user, new.wallet, new.coin)
    if cost > free:
        raise Refused(Refusal.BALANCE, amount=cost, transferable=free)
    ledger.credit(new.user, new.wallet, new.coin, -cost)
    now_ms = exchange.clock.now_ms()
    return ledger.withdrawals.put(
        Withdrawal(
            id=new.id,
            client_id=new.client_id,
            user=new.user,
            wallet=new.wallet,
            coin=new.coin,
            chain=new.chain,
            amount=sent,
            fee=chain.withdraw_fee,
            address=new.address,
            tag=new.tag,
            status="pending",
            txid=hashlib.sha256(f"{new.user}|{new.id}".encode()).hexdigest(),
            seq=ledger.next("withdrawal"),
            time_ms=now_ms,
            due_ms=now_ms + exchange.world.delays_ms.get("withdrawal", 0),
        )
    )


def _check_owner(exchange: Exchange, new: NewTransfer) -> None:
    users = exchange.ledger.users
    source, target = users.get(new.source.user), users.get(new.target.user)
    if source is None or target is None:
        raise Refused(Refusal.UNKNOWN_ACCOUNT, source=new.source.user, target=new.target.user)
    if source.root != target.root:
        raise Refused(Refusal.FORBIDDEN, source=source.id, target=target.id)
