"""Kraken Futures: money between the wallets of a user, and between users of one master.

The multi-collateral wallet and the cash wallet of a user pass money to each other; so does the
multi-collateral wallet of one user to those of another, asked for by the master. The answer to a
transfer names nothing, and its request takes no key: what became of it is read from the account
log, by wallet, asset, amount and time, and two that look the same are told apart by nobody. So one
at a time is under way for the same money, or of the same amount (`Capabilities.transfer_key`).

Nor does a request say after when it is refused: its stamp is optional and orders requests, and
bounds none. What was stamped longer ago than the receive window is not signed; what left, and is
not in the log, may still be carried out, and is never told as absent: it stays open and goes to an
operator. That the venue refused a request tells that this copy of it is over; the log then tells
whether another had been carried out before.

Nothing here was run against the venue itself. Sources: its pages "Initiate wallet transfer",
"Initiate sub account transfer", "Get account log", "Derivatives Rate Limits"; the errors of a
transfer are on the page "Transfer" of its help centre. What the log calls the cash wallet is on no
page read, so a transfer is looked up where it leaves or reaches the multi-collateral one.
"""

from __future__ import annotations

from decimal import Decimal

from allocator.adapters.ccxt.dialect import Trace
from allocator.adapters.ccxt.failures import UnansweredError
from allocator.adapters.ccxt.kraken_looks import TRANSFERS, WAIT_S, looks_of
from allocator.adapters.ccxt.kraken_reads import FLEX, WALLETS, asset
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.exact import exactly
from allocator.models.base import ZERO, plain
from allocator.models.errors import VenueError
from allocator.models.intents import Found, TransferIntent

UNITS = {"BTC": "xbt"}
"""The venue's names of assets where they are others than everybody's."""

HALF = Decimal("5e-9")
"""How much a change in the log may differ from an amount: half of the least that is sent."""


def linked(source: str, target: str, *, one_login: bool) -> bool:
    """Tell that wallets of a user pass money, and of two users where one of both is looked up."""
    if one_login:
        return source != target
    return "unified" in {source, target}


async def send_transfer(source: Place, target: Place, intent: TransferIntent) -> str:
    """Send, and return our own id: the venue gives none. Too late, it is not signed."""
    body: JsonObject = {
        "fromAccount": WALLETS[source.config.wallet],
        "toAccount": WALLETS[target.config.wallet],
        "unit": UNITS.get(intent.asset, intent.asset.lower()),
        "amount": plain(intent.amount),
    }
    login, endpoint = source.login, "private_post_transfer"
    if source.login is not target.login:
        login, endpoint = source.master, "private_post_transfer_subaccount"
        body |= {"fromUser": source.member, "toUser": target.member}
    reply = await login.call(endpoint, body, intent.stamped_at)
    if not isinstance(reply, dict) or reply.get("result") != "success":
        raise UnansweredError(f"a transfer without success: {reply}")
    return intent.client_id


async def find_transfer(
    source: Place, target: Place, intent: TransferIntent, trace: Trace
) -> Found | None:
    """Look a transfer up in the log of the multi-collateral wallet that it leaves, or reaches.

    Raises
    ------
    VenueError
        When two look the same, or it is not there and may still come.
    """
    leaves = source.config.wallet == "unified"
    place, change = (source, -intent.amount) if leaves else (target, intent.amount)
    kind = TRANSFERS[source.login is not target.login]
    found = await looks_of(place.login).log[kind].read(trace.since_ms, WAIT_S)
    same = [
        row for row in found
        if row.get("info") == kind and _is_of(place, row, intent.asset, change)
        and text(row, "booking_uid") not in trace.taken
        and looks_of(place.login).milliseconds(row.get("date")) >= trace.since_ms
    ]  # fmt: skip
    # What was found once bears the log's name of it from then on.
    same = [row for row in same if text(row, "booking_uid") == trace.venue_id] or same
    if len(same) > 1:
        raise VenueError("two transfers look the same")
    if same:
        at = looks_of(place.login).milliseconds(same[0].get("date"))
        name = text(same[0], "booking_uid")
        return Found(
            venue_id=name, state="settled", filled=intent.amount, venue_time=moment(at)
        )  # fmt: skip
    if not trace.refused:
        raise VenueError("not in the account log, and nothing says until when it may still come")
    return None


@exactly
def _is_of(place: Place, row: JsonObject, name: str, change: Decimal) -> bool:
    """Tell whether an entry of the log is of so much of an asset, in the multi-collateral one."""
    if row.get("margin_account") != FLEX or asset(place, text(row, "asset")) != name:
        return False
    old, new = (number(text(row, key)) or ZERO for key in ("old_balance", "new_balance"))
    return abs(new - old - change) < HALF
