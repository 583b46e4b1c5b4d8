"""What a venue offers and no adapter uses, and why: the capability table's other half.

Sources: the venues' pages of the requests that are named. `proof` stands for all that would have to
be run before it is used: a loopback exchange that does it, or a page of answers.
"""

from __future__ import annotations

from collections.abc import Mapping

PROOF = "nothing was run that proves it"
WATCHES = "it watches a WebSocket, and none is kept open"
WITHDRAWALS = ("withdrawals", PROOF)


UNUSED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "binance": (
        (
            "countdown to cancel all (countdownCancelAll) of more than six markets",
            "it is by market, each a request of weight 10: the six of all accounts that share an "
            "address are renewed with less than half of the weight of its futures",
        ),
        (
            "TWAP and VP orders (algo/futures/openOrders)",
            "not read: they are no triggers, and each part that is sent stands among open orders",
        ),
    ),
    "bitget": (
        (
            "batch orders (batch-place-order)",
            "one request takes orders of one pair, and legs in one account are of different ones",
        ),
    ),
    "bybit": (("cancel all on disconnect (disconnected-cancel-all)", WATCHES),),
    "deribit": (("cancel on disconnect (enable_cancel_on_disconnect)", WATCHES),),
    "gate": (),
    "hyperliquid": (
        (
            "withdrawals (withdraw3)",
            "no record names a transaction of the chain they arrive by: no arrival could be told",
        ),
        (
            "sends to addresses of other users (usdSend, spotSend, sendAsset)",
            "whether arrivals are seen is told by account, whoever sends: what other venues send "
            "to it is told by no transaction of their chain",
        ),
        (
            "transfers by usdClassTransfer, subAccountTransfer, subAccountSpotTransfer",
            "their records bear no number of their action, as those of sendAsset do",
        ),
        (
            "transfers of other coins than USDC",
            "each has decimal places of its own, and none of them margins",
        ),
        (
            "status of the exchange (exchangeStatus)",
            "no page of the venue was read that says what it tells when something is amiss",
        ),
    ),
    "krakenfutures": (
        (
            "withdrawals to the spot exchange (withdrawal), and from there onward",
            "they need a key to withdraw, and from there on one of the spot API, whose wallet is "
            "no account here",
        ),
        (
            "transfers to and from single-collateral wallets",
            "those wallets are not read",
        ),
        (
            "transfers from one user's cash wallet to another's",
            "what the log calls a cash wallet is on no page read",
        ),
        (
            "notifications of maintenance (notifications)",
            "they tell when one begins, not whether it goes on, and are signed",
        ),
    ),
    "kucoinfutures": (("protection on disconnect (dcp/set)", PROOF),),
    "okx": (("moves of positions (account/move-positions)", PROOF),),
}
"""By venue: what, and why not."""
