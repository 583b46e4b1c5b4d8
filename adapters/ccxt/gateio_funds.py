"""Gate v4: withdrawals, sent and looked up, and what networks ask for them.

Sources: the venue's pages "Withdraw", "Get withdrawal records", "Query withdrawal status", "Query
chains supported for specified currency", "Query withdrawal address whitelist" (model SavedAddress),
"Get deposit records" (model DepositRecord, as its own client's repository gate/gateapi-python
describes it) and its table of labels (API v4, as copied on 27 May 2026).

* The amount that is asked for includes the fee, which no page says: of 9 USDT with a fee of 2 that
  left, 7 were sent (ccxt, pull request 17071). Were the fee charged besides, as much more would
  arrive, and never less than was meant. The fee is a network's own (``withdraw_fix_on_chains``).
* A network that takes a share of the amount is shut to us: its fee is no figure. The least amount
  is the currency's; a network's accuracy is told with its state.
* ``withdraw_order_id`` is our key, of up to 32 letters, digits, ``_``, ``-`` or ``.``; records are
  asked for by it. Whether a second withdrawal with the same one is refused is not told by any page.
* An address has to stand in the user's address book for the same network, verified, with the same
  tag: that is read before each withdrawal.
* A deposit is a withdrawal's by ``txid``, the transaction's hash, which both records have, and by
  its amount; its own ``id`` tells it from an equal one. ``address`` and ``chain`` are described as
  those of a withdrawal: whose they are of a deposit no page says, so nothing is held against them.
* ``FAIL`` is a failure on its chain that waits to be confirmed: nothing came back yet. ``INVALID``
  and ``BCODE``, which the page "Withdraw" alone names, say nothing that is relied on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal

from allocator.adapters.ccxt.answers import listed
from allocator.adapters.ccxt.dialect import Trace, Withdrawal
from allocator.adapters.ccxt.failures import NotSentError
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number, step_of
from allocator.adapters.ccxt.withdrawing import (
    MOST,
    Columns,
    borne,
    fee_by,
    terms_of,
    told_by,
    with_fee,
)
from allocator.adapters.sources import NetworkTerms
from allocator.models.base import plain
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import TransferIntent

KEY = re.compile(r"[0-9A-Za-z_.-]{1,32}")
SAVED = "private_wallet_get_saved_address"
MOST_SAVED = 100
RECORDS = "private_wallet_get_withdrawals"
STATUS = "private_wallet_get_withdraw_status"
CHAINS = "public_wallet_get_currency_chains"
SHUT = ("is_disabled", "is_withdraw_disabled")
VERIFIED = "1"
LEFT = "DONE EXTPEND FAIL PEND PROCES SPLITPEND"
HELD = "REQUEST MANUAL REVIEW VERIFY FVERIFY DMOVE LOCKED CANCELPEND"
COLUMNS = Columns(
    key="withdraw_order_id",
    venue_id="id",
    asset="currency",
    amount="amount",
    address="address",
    txid="txid",
    failed=frozenset({"CANCEL", "REJECT"}),
    others=frozenset(f"{LEFT} {HELD}".split()),
    fee_within=True,
)


async def send_withdrawal(
    source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
) -> str:
    """Withdraw to a verified address of the address book; the fee is taken out of what is asked.

    Raises
    ------
    NotSentError
        When the address is not one, the network is shut or its terms are not known.
    """
    if not KEY.fullmatch(intent.client_id):
        raise NotSentError(f"{intent.client_id} is no withdraw_order_id")
    await _check_saved(source, address, intent.asset)
    body: JsonObject = {
        "withdraw_order_id": intent.client_id,
        "currency": intent.asset,
        "address": address.address,
        "amount": plain(with_fee(intent.amount, fee)),
        "chain": address.network,
    }
    if address.tag is not None:
        body["memo"] = address.tag
    endpoint = "private_withdrawals_post_withdrawals"
    return text(await source.login.call(endpoint, body, intent.stamped_at), "id")


async def _check_saved(source: Place, address: AddressConfig, asset: str) -> None:
    """Hold an address against the user's address book.

    Raises
    ------
    NotSentError
        When it is not in it, or the book was not read.
    """
    asked = {"currency": asset, "chain": address.network, "limit": MOST_SAVED}
    try:
        rows = listed(await source.login.call(SAVED, asked), SAVED)
    except VenueError as error:
        raise NotSentError(f"the address book was not read: {error}") from error
    meant = (address.address, address.network, address.tag or "", VERIFIED)
    if not any(
        (row.get("address"), row.get("chain"), row.get("tag") or "", str(row.get("verified")))
        == meant
        for row in rows
    ):
        raise NotSentError(f"no verified address of the address book is that of {address.network}")


async def find_withdrawal(
    source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
) -> Withdrawal | None:
    """Look a withdrawal up by its key.

    Raises
    ------
    VenueError
        When two bear it, or none does and one may be it.
    """
    asked = {
        "currency": intent.asset,
        "withdraw_order_id": intent.client_id,
        "from": trace.since_ms // 1000,
        "limit": MOST,
    }
    rows = _flat(listed(await source.login.call(RECORDS, asked), RECORDS))
    row = borne(rows, COLUMNS, intent.client_id, address, trace)
    if row is None:
        return None
    return told_by(row, COLUMNS, moment(int(text(row, "timestamp")) * 1000))


def _flat(rows: list[object]) -> list[JsonObject]:
    """Take rows out of the list that the page's example has around them, and its model has not.

    Raises
    ------
    VenueError
        When one is no row.
    """
    inner = [one for row in rows for one in (row if isinstance(row, list) else [row])]
    found = [one for one in inner if isinstance(one, dict)]
    if len(found) != len(inner):
        raise VenueError(f"{RECORDS}: a row that is none")
    return found


async def networks(place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
    """Read fee, minimum, accuracy and state of withdrawals, by ``asset:network``."""
    terms = dict[str, NetworkTerms]()
    for asset in sorted(assets):
        told = listed(await place.login.call(STATUS, {"currency": asset}), STATUS)
        row = next((row for row in told if str(row.get("currency")).upper() == asset), None)
        if row is None:
            continue
        for chain in listed(await place.login.call(CHAINS, {"currency": asset}), CHAINS):
            terms[f"{asset}:{text(chain, 'chain')}"] = _terms(row, chain)
    return terms


def _terms(row: JsonObject, chain: JsonObject) -> NetworkTerms:
    name = text(chain, "chain")
    fee = number((row.get("withdraw_fix_on_chains") or {}).get(name))
    minimum = number(row.get("withdraw_amount_mini"))
    usable = all(number(chain.get(key)) == 0 for key in SHUT)
    free_of_shares = _share(row, name) == 0
    step = step_of(chain.get("decimal"), 8)
    return terms_of(fee_by(fee, step), minimum, step, usable=usable and free_of_shares)


def _share(row: JsonObject, chain: str) -> Decimal | None:
    """Read the percentage that a network takes, ``0%``, or the currency's; None: it is not told."""
    of_chain = (row.get("withdraw_percent_on_chains") or {}).get(chain)
    told = row.get("withdraw_percent") if of_chain is None else of_chain
    return number(str(told).removesuffix("%")) if told is not None else None
