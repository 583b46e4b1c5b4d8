"""OKX v5: money between accounts and members, and out to registered addresses.

A transfer is signed by whoever gives: within an account (type 0), a master to a member (1), a
member to its master (3), a member to another (4, if it may). Every one carries a client id, which
the venue takes once. Sources: the venue's pages "Funds transfer", "Get funds transfer state",
"Withdrawal", "Get withdrawal history", "Get deposit history".
"""

from __future__ import annotations

from allocator.adapters.ccxt.deposits import deposit_by
from allocator.adapters.ccxt.dialect import Deposit, Withdrawal
from allocator.adapters.ccxt.failures import NotSentError, RefusalError
from allocator.adapters.ccxt.okx_reads import only, rows
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.ccxt.withdrawing import only_one
from allocator.models.base import ZERO, plain
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import Found, TransferIntent

WALLETS = {"unified": "18", "funding": "6"}
STATES = {"success": "settled", "pending": "in_transit", "failed": "returned"}
WITHIN, TO_MEMBER, TO_MASTER, BETWEEN = "0", "1", "3", "4"
TYPES = {True: (WITHIN, TO_MEMBER, "2"), False: (WITHIN, TO_MASTER, BETWEEN)}
"""What a main account's key may ask for, and a sub-account's."""

ON_CHAIN = "4"
UNKNOWN_TRANSFER = "58129"
FAILED_WITHDRAWALS = frozenset({"-1", "-2"})
CREDITED = frozenset({"1", "2"})
"""Deposits in the account: not yet free to leave, and free to."""


def kind_of(source: Place, target: Place) -> str:
    """Name the type of a transfer, as the key that signs it sees it."""
    if source.login is target.login:
        return WITHIN
    if source.login is source.master:
        return TO_MEMBER
    return TO_MASTER if target.login is source.master else BETWEEN


async def send_transfer(source: Place, target: Place, intent: TransferIntent) -> str:
    """Send, and return the venue's id."""
    kind = kind_of(source, target)
    body: JsonObject = {
        "type": kind,
        "ccy": intent.asset,
        "amt": plain(intent.amount),
        "from": WALLETS[source.config.wallet],
        "to": WALLETS[target.config.wallet],
        "clientId": intent.client_id,
    }
    if kind in (TO_MEMBER, BETWEEN):
        body["subAcct"] = target.member
    reply = await source.login.call("private_post_asset_transfer", body, intent.stamped_at)
    return text(only(reply), "transId")


async def find_transfer(source: Place, target: Place, intent: TransferIntent) -> Found | None:
    """Look a transfer up by its client id; the venue tells those of the last two weeks.

    The venue has one code for an id that it does not know and for one of another type: it is not
    there only when it is there under no type that the key may ask for.
    """
    kind = kind_of(source, target)
    for one in (kind, *(row for row in TYPES[source.login is source.master] if row != kind)):
        row = await _of_type(source, intent.client_id, one)
        if row is not None:
            return _found(row)
    return None


async def _of_type(source: Place, client_id: str, kind: str) -> JsonObject | None:
    """Ask for a transfer of one type.

    Raises
    ------
    VenueError
        When the refusal is not about the client id.
    """
    asked = {"clientId": client_id, "type": kind}
    try:
        found = rows(await source.login.call("private_get_asset_transfer_state", asked))
    except RefusalError as error:
        if error.code != UNKNOWN_TRANSFER or "clientid" not in error.message.lower():
            raise
        return None
    return next((row for row in found if row.get("clientId") == client_id), None)


def _found(row: JsonObject) -> Found:
    state = text(row, "state")
    if state not in STATES:
        raise VenueError(f"transfer state {state} is not known")
    settled = STATES[state] == "settled"
    return Found.model_validate(
        {
            "venue_id": text(row, "transId"),
            "state": STATES[state],
            "filled": text(row, "amt") if settled else ZERO,
        }
    )


async def send_withdrawal(source: Place, address: AddressConfig, intent: TransferIntent) -> str:
    """Withdraw to a registered address; the fee comes on top of the amount.

    Raises
    ------
    NotSentError
        From any but a main account's funding account.
    """
    if source.config.wallet != "funding" or source.login is not source.master:
        raise NotSentError("only a main account's funding account withdraws")
    tagged = f"{address.address}:{address.tag}" if address.tag else address.address
    body: JsonObject = {
        "ccy": intent.asset,
        "amt": plain(intent.amount),
        "dest": ON_CHAIN,
        "toAddr": tagged,
        "chain": address.network,
        "clientId": intent.client_id,
    }
    reply = await source.login.call("private_post_asset_withdrawal", body, intent.stamped_at)
    return text(only(reply), "wdId")


async def find_withdrawal(
    source: Place, address: AddressConfig, intent: TransferIntent
) -> Withdrawal | None:
    """Look a withdrawal up by its client id."""
    asked = {"ccy": intent.asset, "clientId": intent.client_id}
    found = rows(await source.login.call("private_get_asset_withdrawal_history", asked))
    row = only_one((row for row in found if row.get("clientId") == intent.client_id), "clientId")
    if row is None:
        return None
    return Withdrawal(
        venue_id=text(row, "wdId"),
        asset=text(row, "ccy"),
        amount=number(text(row, "amt")) or ZERO,
        address=str(row.get("to") or "").removesuffix(f":{address.tag}"),
        failed=text(row, "state") in FAILED_WITHDRAWALS,
        txid=str(row.get("txId") or "") or None,
        fee=number(row.get("fee")) or ZERO,
        at=moment(text(row, "ts")),
    )


async def deposits(target: Place, asset: str, txid: str) -> list[Deposit]:
    """List what of a transaction was credited."""
    asked = {"ccy": asset, "txId": txid}
    found = rows(await target.login.call("private_get_asset_deposit_history", asked))
    return [
        deposit_by(row, amount="amt", address="to", venue_id="depId")
        for row in found
        if row.get("txId") == txid and text(row, "state") in CREDITED
    ]
