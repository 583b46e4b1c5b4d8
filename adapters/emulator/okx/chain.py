"""Coins to and from addresses: withdrawals, deposits, where deposits go.

Sources: the venue's pages "Withdrawal", "Get withdrawal history", "Get deposit history", "Get
deposit address".
"""

from allocator.adapters.emulator import funds
from allocator.adapters.emulator.errors import VenueError
from allocator.adapters.emulator.okx import margin
from allocator.adapters.emulator.okx.account import KEY, RIGHT
from allocator.adapters.emulator.okx.assets import client_id_of
from allocator.adapters.emulator.okx.host import WITHDRAW, row
from allocator.adapters.emulator.okx.words import amount, new_id, page, required, wrong
from allocator.adapters.emulator.records import Address, Deposit, Withdrawal
from allocator.adapters.emulator.wire import Call, Json, plain

ON_CHAIN = "4"
BROADCASTING, DONE = "1", "2"


def withdraw(call: Call) -> Json:
    """Send coins from the funding account to an address; the fee comes on top."""
    if call.exchange.ledger.users[call.user].parent is not None:
        raise VenueError(
            58209, "Sub-accounts don't support withdrawals or deposits. Please use your main "
            "account instead"
        )  # fmt: skip
    client_id = client_id_of(call)
    if required(call, "dest") != ON_CHAIN:
        raise wrong("dest")
    address, _, tag = required(call, "toAddr").partition(":")
    done = funds.withdraw(
        call.exchange,
        funds.NewWithdrawal(
            id=new_id(call.exchange, "withdrawal"),
            client_id=client_id,
            user=call.user,
            wallet=margin.FUNDING,
            coin=required(call, "ccy"),
            chain=required(call, "chain"),
            amount=amount(call, "amt"),
            address=address,
            tag=tag,
            fee_on_top=True,
        ),
    )
    return [
        {
            "amt": plain(done.amount),
            "wdId": done.id,
            "ccy": done.coin,
            "clientId": done.client_id,
            "chain": done.chain,
        }
    ]


def withdrawals(call: Call) -> Json:
    """Return withdrawals, newest first."""
    rows = [
        w
        for w in reversed(call.exchange.ledger.withdrawals.by("user", call.user))
        if call.text("ccy", w.coin) == w.coin
        and call.text("wdId", w.id) == w.id
        and call.text("clientId", w.client_id) == w.client_id
        and call.text("txId", w.txid) == w.txid
        and call.text("state", _state(w)) == _state(w)
    ]
    return [_withdrawn(call, w) for w in page(call, rows, lambda w: w.time_ms)]


def deposits(call: Call) -> Json:
    """Return deposits that arrived, newest first."""
    rows = [
        d
        for d in reversed(call.exchange.ledger.deposits.by("user", call.user))
        if call.text("ccy", d.coin) == d.coin
        and call.text("txId", d.txid) == d.txid
        and call.text("state", DONE) == DONE
    ]
    return [_deposited(d) for d in page(call, rows, lambda d: d.time_ms)]


def addresses(call: Call) -> Json:
    """Return the deposit addresses of a currency."""
    coin = required(call, "ccy")
    homes = call.exchange.ledger.addresses.by("user", call.user)
    return [_address(home) for home in homes if home.coin == coin]


def _state(done: Withdrawal) -> str:
    return DONE if done.left else BROADCASTING


def _withdrawn(call: Call, done: Withdrawal) -> Json:
    return {
        "note": "",
        "chain": done.chain,
        "fee": plain(done.fee),
        "feeCcy": done.coin,
        "ccy": done.coin,
        "clientId": done.client_id,
        "toAddrType": "1",
        "amt": plain(done.amount),
        "txId": done.txid if done.left else "",
        "from": call.exchange.ledger.users[done.user].name,
        "areaCodeFrom": "",
        "to": done.address,
        "areaCodeTo": "",
        "state": _state(done),
        "ts": str(done.time_ms),
        "nonTradableAsset": False,
        "wdId": done.id,
        **({"tag": done.tag} if done.tag else {}),
    }


def _deposited(done: Deposit) -> Json:
    return {
        "actualDepBlkConfirm": "100",
        "amt": plain(done.amount),
        "areaCodeFrom": "",
        "ccy": done.coin,
        "chain": done.chain,
        "depId": str(done.seq),
        "from": "",
        "fromWdId": "",
        "state": DONE,
        "to": done.address,
        "ts": str(done.time_ms),
        "txId": done.txid,
    }


def _address(home: Address) -> Json:
    return {
        "chain": home.chain,
        "ctAddr": "",
        "ccy": home.coin,
        "to": margin.FUNDING,
        "addr": home.address,
        "verifiedName": "",
        "selected": True,
        **({"tag": home.tag} if home.tag else {}),
    }


ENDPOINTS = (
    row("POST asset/withdrawal", withdraw, "funding-account-rest-api-withdrawal",
        "address not registered: 58207", "below minimum: 58206", "balance short: 58350",
        "client id used: 50071", "a member asks: 58209", "dest or amount wrong: 51000", RIGHT,
        *KEY, limit="6/1s user", needs=WITHDRAW),
    row("GET asset/withdrawal-history", withdrawals,
        "funding-account-rest-api-get-withdrawal-history", "by clientId, wdId or txId",
        "next page by after", *KEY, limit="6/1s user"),
    row("GET asset/deposit-history", deposits, "funding-account-rest-api-get-deposit-history",
        "by txId", "next page by after", *KEY, limit="6/1s user"),
    row("GET asset/deposit-address", addresses, "funding-account-rest-api-get-deposit-address",
        "ccy missing: 50014", *KEY, limit="6/1s user"),
)  # fmt: skip
