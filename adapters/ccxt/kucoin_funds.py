"""KuCoin: withdrawals from the main wallet, sent and looked up, and what networks ask for them.

Sources: the venue's pages "Withdraw (V3)", "Get Withdrawal History" (its predecessor "Get
Withdrawals List" too), "Get Currency" (V3) and its table of spot error codes.

* Money leaves the main wallet (``funding``) only: what the futures wallet holds is transferred
  there first, by a way and an action of its own.
* There is no idempotency key. ``remark`` is kept with the record and is our client id: two equal
  withdrawals are told apart by it. A request is sent once and looked up, never sent again; one that
  the network delivers twice is carried out twice, and is then told as nobody's.
* Should the venue leave the remark out of a record, an equal one without it cannot be told from
  ours: nothing is concluded then, least of all an absence.
* ``amount`` is what arrives: the fee is taken from the main wallet besides (``feeDeductType``
  EXTERNAL; where it is not said, the venue chooses).
* A network that takes a share of the amount (``withdrawFeeRate``) is shut to us.
* The address book is on the web, and no request lists it: with its switch on, the venue refuses
  any other address (260325). Where it is off the venue refuses none; what is configured as a
  route's address is all that is ever sent to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from allocator.adapters.ccxt.dialect import Trace, Withdrawal
from allocator.adapters.ccxt.kucoin_reads import data_of, pages
from allocator.adapters.ccxt.place import Place, text
from allocator.adapters.ccxt.values import JsonObject, moment, number, step_of
from allocator.adapters.ccxt.withdrawing import Columns, leads_to, ours, terms_of, told_by
from allocator.adapters.sources import NetworkTerms
from allocator.models.base import plain
from allocator.models.config import AddressConfig
from allocator.models.errors import VenueError
from allocator.models.intents import TransferIntent

COINS = "public_get_currencies_currency"
RECORDS = "private_get_withdrawals"
SENT = "private_post_withdrawals"
COLUMNS = Columns(
    key="remark",
    venue_id="id",
    asset="currency",
    amount="amount",
    address="address",
    txid="walletTxId",
    failed=frozenset({"FAILURE"}),
    others=frozenset({"REVIEW", "PROCESSING", "WALLET_PROCESSING", "SUCCESS"}),
)


async def send_withdrawal(
    source: Place, address: AddressConfig, intent: TransferIntent, fee: Decimal
) -> str:
    """Withdraw to a registered address; the fee comes on top of the amount."""
    del fee
    body: JsonObject = {
        "currency": intent.asset,
        "toAddress": address.address,
        "withdrawType": "ADDRESS",
        "chain": address.network,
        "amount": plain(intent.amount),
        "feeDeductType": "EXTERNAL",
        "isInner": False,
        "remark": intent.client_id,
    }
    if address.tag is not None:
        body["memo"] = address.tag
    reply = await source.login.call(SENT, body, intent.stamped_at)
    return text(data_of(reply, SENT), "withdrawalId")


async def find_withdrawal(
    source: Place, address: AddressConfig, intent: TransferIntent, trace: Trace
) -> Withdrawal | None:
    """Look a withdrawal up by its remark, or the id of its acknowledgement.

    Raises
    ------
    VenueError
        When two are found, or an equal one bears no remark.
    """
    asked = {"currency": intent.asset, "startAt": trace.since_ms}
    rows = await pages(source.login, RECORDS, asked)
    row = ours(rows, COLUMNS, intent.client_id, trace)
    if row is None:
        if any(not row.get("remark") and _is_alike(row, address, intent) for row in rows):
            raise VenueError("a withdrawal that looks the same bears no remark")
        return None
    # The transaction stands before the address that it went to.
    txid = str(row.get(COLUMNS.txid) or "").split("@", maxsplit=1)[0]
    return told_by({**row, COLUMNS.txid: txid}, COLUMNS, moment(text(row, "createdAt")))


def _is_alike(row: JsonObject, address: AddressConfig, intent: TransferIntent) -> bool:
    return leads_to(row.get("address"), address) and number(row.get("amount")) == intent.amount


async def networks(place: Place, assets: Collection[str]) -> Mapping[str, NetworkTerms]:
    """Read fee, minimum, accuracy and state of withdrawals, by ``asset:network``.

    A network is named by its ``chainId``, as a withdrawal names it.
    """
    terms = dict[str, NetworkTerms]()
    for asset in sorted(assets):
        told = data_of(await place.login.call(COINS, {"currency": asset}), COINS)
        for chain in told.get("chains") or ():
            terms[f"{asset}:{text(chain, 'chainId')}"] = _terms(told, chain)
    return terms


def _terms(coin: JsonObject, chain: JsonObject) -> NetworkTerms:
    fee, minimum = number(chain.get("withdrawalMinFee")), number(chain.get("withdrawalMinSize"))
    digits = chain.get("withdrawPrecision")
    return terms_of(
        fee,
        minimum,
        step_of(coin.get("precision") if digits is None else digits, 8),
        usable=(
            chain.get("isWithdrawEnabled") is True and not number(chain.get("withdrawFeeRate"))
        ),
    )
