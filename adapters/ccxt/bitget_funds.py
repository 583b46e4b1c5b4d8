"""Bitget v2: withdrawals, sent and looked up, and what networks ask for them.

Sources: the venue's pages spot/account/Wallet-Withdrawal, spot/account/Get-Withdraw-Record,
spot/account/Get-Deposit-Record (older rows are asked for by the least ``orderId`` of a page),
spot/market/Get-Coin-List, and its table of REST error codes.

* ``size`` includes the fee: ccxt's reading of the records, in which the amount is ``size`` less
  ``fee``, and the page's, which says otherwise of the Lightning network alone. Were the fee charged
  besides, as much more would arrive, and never less than was meant.
* The Lightning network is shut to us: its addresses are invoices, and none is registered. So is one
  that burns a share of the amount (``extraWithdrawFee``).
* ``clientOid`` is our key; records are asked for by it. Nothing is told of a second withdrawal with
  the same one but the codes of the orders' and transfers' duplicates.
* An address has to stand in the address book on the web, which no request of the classic account
  lists: the venue refuses any other (11000, 50101).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from allocator.adapters.ccxt.bitget_reads import PAGE, PAGES, row_of, rows_of
from allocator.adapters.ccxt.dialect import Trace, Withdrawal
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
from allocator.models.base import ZERO, plain
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import TransferIntent

COINS = "public_spot_get_v2_spot_public_coins"
RECORDS = "private_spot_get_v2_spot_wallet_withdrawal_records"
DEPOSITS = "private_spot_get_v2_spot_wallet_deposit_records"
WEEK_MS = 7 * 24 * 3600 * 1000
SENT = "private_spot_post_v2_spot_wallet_withdrawal"
COLUMNS = Columns(
    key="clientOid",
    venue_id="orderId",
    asset="coin",
    amount="size",
    address="toAddress",
    txid="tradeId",
    failed=frozenset({"fail"}),
    others=frozenset({"pending", "success"}),
    fee_within=True,
)


async def send_withdrawal(
    source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
) -> str:
    """Withdraw to a registered address; the fee is taken out of what is asked."""
    body: JsonObject = {
        "coin": intent.asset,
        "transferType": "on_chain",
        "address": address.address,
        "chain": address.network,
        "size": plain(with_fee(intent.amount, fee)),
        "clientOid": intent.client_id,
    }
    if address.tag is not None:
        body["tag"] = address.tag
    reply = await source.login.call(SENT, body, intent.stamped_at)
    return text(row_of(reply, SENT), "orderId")


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
        "coin": intent.asset,
        "clientOid": intent.client_id,
        "startTime": trace.since_ms,
        "endTime": round(source.login.venue_now().timestamp() * 1000),
        "limit": MOST,
    }
    rows = rows_of(await source.login.call(RECORDS, asked), RECORDS)
    row = borne(rows, COLUMNS, intent.client_id, address, trace)
    return None if row is None else told_by(row, COLUMNS, moment(text(row, "cTime")))


async def deposit_rows(target: Place, asset: str) -> list[JsonObject]:
    """Read every deposit of an asset in the last week.

    Raises
    ------
    VenueError
        When a page fails, or there is no end to them.
    """
    now_ms = round(target.login.venue_now().timestamp() * 1000)
    asked: JsonObject = {
        "coin": asset, "startTime": now_ms - WEEK_MS, "endTime": now_ms, "limit": PAGE,
    }  # fmt: skip
    found = list[JsonObject]()
    for _ in range(PAGES):
        page = rows_of(await target.login.call(DEPOSITS, asked), DEPOSITS)
        found += page
        if len(page) < PAGE:
            return found
        # Numbers without leading zeros: the shorter one is less.
        least = min((text(row, "orderId") for row in page), key=lambda one: (len(one), one))
        asked = {**asked, "idLessThan": least}
    raise VenueError(f"{DEPOSITS}: more than {PAGES} pages")


async def networks(place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
    """Read fee, minimum, step and state of withdrawals, by ``asset:network``."""
    terms = dict[str, NetworkTerms]()
    for asset in sorted(assets):
        for row in rows_of(await place.login.call(COINS, {"coin": asset}), COINS):
            if row.get("coin") != asset:
                continue
            for chain in row.get("chains") or ():
                terms[f"{asset}:{text(chain, 'chain')}"] = _terms(chain)
    return terms


def _terms(chain: JsonObject) -> NetworkTerms:
    fee, minimum = number(chain.get("withdrawFee")), number(chain.get("minWithdrawAmount"))
    burns = number(chain.get("extraWithdrawFee"))
    invoices = "lightning" in text(chain, "chain").lower()
    step = max(number(chain.get("withdrawStep")) or ZERO, step_of(chain.get("withdrawMinScale"), 8))
    return terms_of(
        fee_by(fee, step),
        minimum,
        step,
        usable=(str(chain.get("withdrawable")).lower() == "true" and not burns and not invoices),
    )
