"""Hyperliquid: USDC between the accounts of a user and of its sub-accounts, under a number of ours.

One action serves every way: sendAsset, which the user's own key signs, and of whose kind alone the
ledger keeps the number that it was sent under. A number is used once by whatever signs: it is the
key of a transfer here, worked out from its client id and stamp, and lies up to a minute ahead, so
that it is never below the lowest of the hundred that the venue keeps. A refusal uses it up as well:
a request that was refused is not carried out by a later copy of it either. No page says that the
number is looked at before the money is: what is refused for want of money is looked for in the
ledger first, since an earlier copy may have taken it.

No signature of a user says after when it is refused; it is good for a day or two. So a transfer
that the ledger does not show is told as absent only once the venue has taken an action that does
nothing under the same number: whatever comes under it from then on is refused, and had it been
carried out, or refused, that action would not have been taken. Where that one is refused because
the number was used before, what used it is in the ledger by now or soon: it is absent once a look
that begins a while later does not find it there either. A record of as much that bears no number is
no absence.

What is not sent, and why. Withdrawals (withdraw3, a dollar each): the ledger bears their number,
but no transaction of the chain that they arrive by, so nobody could tell that one did. USDC between
the two accounts, and to sub-accounts and back, by usdClassTransfer and subAccountTransfer: their
records bear no number. Other coins: each has digits of its own, and none of them margins.

Nothing here was run against the venue itself. Sources: its pages "Exchange endpoint" (Expires
after, Invalidate pending nonce) and "Nonces and API wallets"; of the action's fields ccxt and
Dwellir's page "sendAsset"; of the ledger Chainstack's page "userNonFundingLedgerUpdates". That the
record bears the number of its action, on both sides, and that a refusal uses a number up is on none
of them: both are from observations that others published (riftresearch, hypercore-simulator, on the
test network), and so are the words of refusals but one, which ccxt knows as well.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Collection
from decimal import Decimal

from allocator.adapters.ccxt.answers import listed
from allocator.adapters.ccxt.dialect import Trace
from allocator.adapters.ccxt.failures import NotSentError, RefusalError, UnansweredError
from allocator.adapters.ccxt.hyperliquid_client import keep, signed, signed_by_user
from allocator.adapters.ccxt.hyperliquid_reads import COIN, address, info
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.session import Login
from allocator.adapters.ccxt.values import JsonObject, moment, number
from allocator.adapters.exact import exactly
from allocator.models.base import ZERO, plain
from allocator.models.errors import VenueError
from allocator.models.intents import Found, TransferIntent

ACT = "private_post_exchange"
TOKEN = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"  # noqa: S105 - a coin's name and number
DEXES = {"unified": "", "spot": "spot"}
"""What an action calls the accounts: the first exchange of perpetuals has no name."""

STEP = Decimal("1e-6")
"""The perpetuals' account has six decimal places."""

AHEAD_MS, SPREAD_MS = 10_000, 50_000
"""How far ahead of its stamp a transfer's number lies: at least, and how much more at most."""

ROWS = 400
"""Rows of the ledger from which on one answer may have been cut off; how many it holds at most is
told by no page, and 448 were seen at once."""

MONEY = frozenset(
    {
        "Insufficient balance for token transfer",
        "Insufficient quote token (e.g.",
        "Must deposit before performing actions",
    }
)
"""Beginnings of the sentences by which a transfer is refused for want of money."""

WORDS = MONEY | frozenset(
    {
        "Invalid decimal number",
        "Invalid number of decimals",
        "Invalid perp DEX",
        "Invalid send",
        "Send amount cannot be zero",
    }
)
"""Beginnings of the sentences by which a transfer is refused for good."""

IN_TOKENS = frozenset({"send", "spotTransfer", "subAccountSpotTransfer"})
KINDS = IN_TOKENS | {"accountClassTransfer", "internalTransfer", "subAccountTransfer"}
"""Kinds of records between accounts, and those of them that tell an amount of a token."""

DUPLICATE = "duplicate nonce"
USED = "used numbers"

LAG_S = 10.0
"""Seconds after which the ledger shows what a number was used for: five times the reads' lag."""


def transfers(place: Place) -> bool:
    """Tell whether the key that signs an account's transfers is the user's own.

    An API wallet trades, and sends nothing.
    """
    return bool(place.master.client.signs_itself())


def linked(source: str, target: str, *, one_login: bool) -> bool:
    """Tell that every account reaches every other of a user and of its sub-accounts."""
    return source != target or not one_login


def number_of(intent: TransferIntent) -> int:
    """Work out the number that a transfer is sent under, and found by.

    Raises
    ------
    NotSentError
        When it was not stamped: its number could not be found again.
    """
    if intent.stamped_at is None:
        raise NotSentError("a transfer is numbered by its stamp, and has none")
    digest = hashlib.sha256(intent.client_id.encode()).digest()
    ahead = AHEAD_MS + int.from_bytes(digest[:8]) % SPREAD_MS
    return int(intent.stamped_at.timestamp() * 1000) + ahead


async def send_transfer(source: Place, target: Place, intent: TransferIntent) -> str:
    """Send, signed by the master, and return the number.

    Raises
    ------
    NotSentError
        For another coin, a finer amount, or a number that another transfer has.
    """
    if intent.asset != COIN or not _fits(intent.amount):
        raise NotSentError(
            f"{plain(intent.amount)} {intent.asset}: USDC by six decimal places goes"
        )
    mine, client = number_of(intent), source.master.client
    keep(client, mine, intent.client_id)
    giver = address(source).lower()
    action: JsonObject = {
        "type": "sendAsset",
        "destination": address(target).lower(),
        "sourceDex": DEXES[source.config.wallet],
        "destinationDex": DEXES[target.config.wallet],
        "token": TOKEN,
        "amount": plain(intent.amount),
        "fromSubAccount": "" if giver == own_address(source.master) else giver,
        "nonce": mine,
    }
    await _taken(source.master, signed_by_user(client, action), intent)
    return str(mine)


async def find_transfer(
    source: Place, target: Place, intent: TransferIntent, trace: Trace
) -> Found | None:
    """Look a transfer up by its number in the giver's ledger; see above for when it is absent.

    Raises
    ------
    VenueError
        When what bears its number is another action, or nothing can be told.
    """
    begun = time.monotonic()
    mine, givers = number_of(intent), {address(source).lower(), own_address(source.master)}
    reply = await info(source, "userNonFundingLedgerUpdates", startTime=trace.since_ms)
    found = listed(reply, "ledger")
    same = [row for row in found if _bears(row, mine, givers)]
    if len(same) > 1:
        raise VenueError(f"two records bear the number {mine}")
    if same:
        return _found(same[0], target, intent)
    if any(_may_be(row["delta"], intent.amount) for row in found):
        raise VenueError("a record without a number may be of it")
    if len(found) >= ROWS:
        raise VenueError("more records than one answer may hold")
    if trace.refused:
        return None
    if trace.venue_id is not None:
        raise VenueError("it was taken, and the ledger does not show it yet")
    await _use_up(source.master, mine, begun)
    return None


@exactly
def _fits(amount: Decimal) -> bool:
    """Tell whether an amount has no finer digits than the venue takes."""
    return not amount % STEP


def own_address(login: Login) -> str:
    """Tell the address that a login reads, in small letters.

    Raises
    ------
    NotSentError
        When it is not known.
    """
    login.signs.check()
    return str(login.client.walletAddress).lower()


def _bears(row: object, mine: int, givers: Collection[str]) -> bool:
    """Tell whether a record is of the action under a number; others' numbers may be the same."""
    delta = row.get("delta") if isinstance(row, dict) else None
    if not isinstance(delta, dict):
        raise UnansweredError("a record of the ledger that tells nothing")
    named = delta.get("type") == "send" and str(delta.get("user")).lower() in givers
    return named and str(delta.get("nonce")) == str(mine)


def _may_be(delta: JsonObject, amount: Decimal) -> bool:
    """Tell whether a record that bears no number is of as much: whose it is, nobody can say."""
    told = delta.get("amount") if delta.get("type") in IN_TOKENS else delta.get("usdc")
    return delta.get("type") in KINDS and delta.get("nonce") is None and number(told) == amount


def _found(row: JsonObject, target: Place, intent: TransferIntent) -> Found:
    """Hold a record against what was sent: money arrives in the block that it leaves in.

    Raises
    ------
    VenueError
        When it is not of that.
    """
    delta: JsonObject = row["delta"]
    told = (text(delta, "destination").lower(), text(delta, "token"), number(text(delta, "amount")))
    if told != (address(target).lower(), intent.asset, intent.amount):
        raise VenueError(f"what bears the number {delta['nonce']} is another transfer: {told}")
    fee = number(delta.get("fee")) or ZERO
    return Found(
        venue_id=str(delta["nonce"]),
        state="settled",
        filled=intent.amount,
        fees={str(delta.get("feeToken") or COIN): fee} if fee else {},
        venue_time=moment(text(row, "time")),
    )


async def _use_up(master: Login, mine: int, begun: float) -> None:
    """Use a number up, so that nothing can come under it any more; once is enough.

    Parameters
    ----------
    begun
        When the look began that did not find it, by the process's own clock.

    Raises
    ------
    VenueError
        When it was used before and the ledger may not show for what yet, or nobody knows.
    """
    used = master.readings.setdefault(USED, {})
    if not isinstance(used, dict):
        raise VenueError("numbers that were used are not known")
    if mine in used:
        if begun - used[mine] < LAG_S:
            raise VenueError(f"the number {mine} was used: the ledger tells later for what")
        return
    if not master.client.signs_itself():
        # Another signer's number would be used up, and say nothing of this one.
        raise VenueError("the user's own key alone can tell that a transfer is not on its way")
    try:
        await _taken(master, signed(master.client, {"type": "noop"}, None, None, mine))
    except RefusalError as error:
        if DUPLICATE in error.message:
            used[mine] = time.monotonic()
        raise
    used[mine] = -math.inf


async def _taken(
    master: Login, body: dict[str, object], intent: TransferIntent | None = None
) -> None:
    """Send an action that answers nothing but that it was taken."""
    reply = await master.call(ACT, body, None if intent is None else intent.stamped_at)
    if not isinstance(reply, dict) or reply.get("status") != "ok":
        raise UnansweredError(f"an action that is not ok: {reply}")
