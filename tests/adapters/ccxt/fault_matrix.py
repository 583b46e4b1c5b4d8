"""Every write of every loopback venue, every fault, and what has to come of each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from allocator.adapters.ccxt.base import CcxtVenue
from allocator.models.intents import MoveIntent, OrderIntent, Outcome, TransferIntent
from allocator.ports import Venue
from tests.adapters.times import now

ID = "0123456789abcdef0123456789abcdef"
BESIDE = "fedcba9876543210fedcba9876543210"
BYBIT_HOME = "TBybitFundOne1111111111111111111111"
BINANCE_HOME = "TBinanceFundOne11111111111111111111"
ROUTES = {
    "out:bybit": ("bybit-fund", "binance-spot", "TRX", BINANCE_HOME),
    "out:binance": ("binance-spot", "bybit-fund", "TRX", BYBIT_HOME),
    "out:okx": ("okx-main-fund", "bybit-fund", "USDT-TRC20", BYBIT_HOME),
    "out:deribit": ("deribit-main", "bybit-fund", "ETH", BYBIT_HOME),
}
"""Withdrawals: source, target, network, address."""


@dataclass(frozen=True)
class Write:
    """One kind of request that acts.

    Attributes
    ----------
    account
        Who is asked.
    path, method
        What the exchange sees of it.
    counted
        Which of the exchange's effects counts it; empty for a cancel, which counts by the order's
        state, and for the dead man's switch, which has no effect until it falls due.
    how
        Which method of the venue sends it.
    beside
        The order that goes in the same request, of another market, side or quantity: an answer
        that is bound to the wrong one shows.
    """

    account: str
    path: str
    method: str
    counted: str
    intent: OrderIntent | TransferIntent | MoveIntent
    how: Literal["submit", "batch", "cancel", "dead_man"] = "submit"
    beside: OrderIntent | None = None

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self.account.partition("-")[0]

    @property
    def intents(self) -> tuple[OrderIntent | TransferIntent | MoveIntent, ...]:
        """What the request carries."""
        return (self.intent,) if self.beside is None else (self.intent, self.beside)

    async def send(self, venue: Venue) -> tuple[Outcome, ...]:
        """Send it, once; each of what it carries has an outcome."""
        if self.how == "submit":
            return (await venue.submit(self.intent),)
        if self.how == "cancel":
            assert isinstance(self.intent, OrderIntent)
            return (await venue.cancel(self.intent),)
        assert isinstance(venue, CcxtVenue)
        if self.how == "dead_man":
            return (await venue.cancel_after(60),)
        at = {"stamped_at": now()}
        orders = [row for row in self.intents if isinstance(row, OrderIntent)]
        return await venue.submit_together([row.model_copy(update=at) for row in orders])


@dataclass(frozen=True)
class Expected:
    """What has to come of a write under a fault.

    Attributes
    ----------
    outcome
        How it is typed.
    carried_out
        How often the exchange counts it; of several in a request, each.
    """

    outcome: Literal["Ack", "Rejected", "Unknown"]
    carried_out: int


FAULTS: Mapping[str, Expected] = {
    "delay": Expected("Ack", 1),
    "drop_before": Expected("Unknown", 0),
    "drop_after": Expected("Unknown", 1),
    "truncate": Expected("Unknown", 1),
    "html": Expected("Unknown", 1),
    "http_500_after": Expected("Unknown", 1),
    "429": Expected("Unknown", 0),
    "418": Expected("Unknown", 0),
    "duplicate": Expected("Ack", 1),
    "stale": Expected("Unknown", 1),
    "skew": Expected("Rejected", 0),
}
"""By fault; `stale` is a write whose answer is lost and whose first look-up is answered from what
was true before it. `skew` is a venue's clock a minute and a half ahead."""


def _order(account: str, instrument: str, quantity: str, **changes: Any) -> OrderIntent:
    data = {
        "client_id": ID,
        "account": account,
        "instrument": f"{account.partition('-')[0]}:{instrument}",
        "side": "buy",
        "quantity": quantity,
        "limit_price": "64100",
    }
    return OrderIntent.model_validate({**data, **changes})


def _resting(account: str, instrument: str, quantity: str) -> OrderIntent:
    return _order(account, instrument, quantity, limit_price="62000", style="post_only")


def _beside(account: str, instrument: str, quantity: str, price: str) -> OrderIntent:
    """Word an order that would not pass for the one before it."""
    return _order(account, instrument, quantity, client_id=BESIDE, limit_price=price, side="sell")


def _transfer(source: str, target: str, asset: str = "USDT") -> TransferIntent:
    return TransferIntent.model_validate(
        {
            "client_id": ID,
            "route": f"internal:{source}>{target}:{asset}",
            "source": source,
            "target": target,
            "asset": asset,
            "amount": "1000.1",
        }
    )


def _withdrawal(venue: str) -> TransferIntent:
    source, target, _, _ = ROUTES[f"out:{venue}"]
    return _transfer(source, target).model_copy(update={"route": f"out:{venue}"})


def _move(source: str, target: str, instrument: str, side: str, quantity: str) -> MoveIntent:
    return MoveIntent.model_validate(
        {
            "client_id": ID,
            "source": source,
            "target": target,
            "instrument": f"{source.partition('-')[0]}:{instrument}",
            "side": side,
            "quantity": quantity,
            "price": "64000",
        }
    )


PERPETUAL, COIN, SPOT = "BTC/USDT:USDT", "BTC/USD:BTC", "BTC/USDT"
ETHER = "ETH/USDT:USDT"
PRIVATE = "/api/v2/private/"
OUT = {name: _withdrawal(name) for name in ("bybit", "binance", "okx", "deribit")}
BYBIT = {
    "order": Write("bybit-main", "/v5/order/create", "POST", "orders",
                   _order("bybit-main", PERPETUAL, "0.003")),
    "batch": Write("bybit-main", "/v5/order/create-batch", "POST", "orders",
                   _order("bybit-main", PERPETUAL, "0.003"), "batch",
                   _beside("bybit-main", ETHER, "0.04", "3080")),
    "cancel": Write("bybit-main", "/v5/order/cancel", "POST", "",
                    _resting("bybit-main", PERPETUAL, "0.003"), "cancel"),
    "transfer": Write("bybit-main", "/v5/asset/transfer/universal-transfer", "POST", "transfers",
                      _transfer("bybit-main", "bybit-a")),
    "wallet transfer": Write("bybit-main", "/v5/asset/transfer/inter-transfer", "POST",
                             "transfers", _transfer("bybit-main", "bybit-fund")),
    "withdrawal": Write("bybit-fund", "/v5/asset/withdraw/create", "POST", "withdrawals",
                        OUT["bybit"]),
    "move": Write("bybit-main", "/v5/position/move-positions", "POST", "moves",
                  _move("bybit-main", "bybit-b", PERPETUAL, "buy", "1")),
}  # fmt: skip
BINANCE = {
    "USD-M order": Write("binance-usdm", "/fapi/v1/order", "POST", "orders",
                         _order("binance-usdm", PERPETUAL, "0.003")),
    "COIN-M order": Write("binance-coinm", "/dapi/v1/order", "POST", "orders",
                          _order("binance-coinm", COIN, "5")),
    "spot order": Write("binance-spot", "/api/v3/order", "POST", "orders",
                        _order("binance-spot", SPOT, "0.00312")),
    "USD-M batch": Write("binance-usdm", "/fapi/v1/batchOrders", "POST", "orders",
                         _order("binance-usdm", PERPETUAL, "0.003"), "batch",
                         _beside("binance-usdm", ETHER, "0.1", "3080")),
    "COIN-M batch": Write("binance-coinm", "/dapi/v1/batchOrders", "POST", "orders",
                          _order("binance-coinm", COIN, "5"), "batch",
                          _beside("binance-coinm", COIN, "3", "63900")),
    "cancel": Write("binance-usdm", "/fapi/v1/order", "DELETE", "",
                    _resting("binance-usdm", PERPETUAL, "0.003"), "cancel"),
    "dead man's switch": Write("binance-coinm", "/dapi/v1/countdownCancelAll", "POST", "",
                               _resting("binance-coinm", COIN, "5"), "dead_man"),
    "wallet transfer": Write("binance-spot", "/sapi/v1/asset/transfer", "POST", "transfers",
                             _transfer("binance-spot", "binance-usdm")),
    "transfer": Write("binance-spot", "/sapi/v1/sub-account/universalTransfer", "POST",
                      "transfers", _transfer("binance-spot", "sub1-spot")),
    "withdrawal": Write("binance-spot", "/sapi/v1/capital/withdraw/apply", "POST", "withdrawals",
                        OUT["binance"]),
}  # fmt: skip
OKX = {
    "order": Write("okx-main", "/api/v5/trade/order", "POST", "orders",
                   _order("okx-main", PERPETUAL, "0.35")),
    "batch": Write("okx-main", "/api/v5/trade/batch-orders", "POST", "orders",
                   _order("okx-main", PERPETUAL, "0.35"), "batch",
                   _beside("okx-main", ETHER, "0.4", "3080")),
    "cancel": Write("okx-main", "/api/v5/trade/cancel-order", "POST", "",
                    _resting("okx-main", PERPETUAL, "0.35"), "cancel"),
    "dead man's switch": Write("okx-main", "/api/v5/trade/cancel-all-after", "POST", "",
                               _resting("okx-main", PERPETUAL, "0.35"), "dead_man"),
    "transfer": Write("okx-main", "/api/v5/asset/transfer", "POST", "transfers",
                      _transfer("okx-main", "okx-a")),
    "wallet transfer": Write("okx-main", "/api/v5/asset/transfer", "POST", "transfers",
                             _transfer("okx-main", "okx-main-fund")),
    "withdrawal": Write("okx-main-fund", "/api/v5/asset/withdrawal", "POST", "withdrawals",
                        OUT["okx"]),
}  # fmt: skip
DERIBIT = {
    "order": Write("deribit-main", f"{PRIVATE}buy", "GET", "orders",
                   _order("deribit-main", "BTC/USDC:USDC", "3")),
    "option order": Write("deribit-main", f"{PRIVATE}buy", "GET", "orders",
                          _order("deribit-main", "BTC/USD:BTC-300628-70000-C", "0.3",
                                 limit_price="0.1345")),
    "sell order": Write("deribit-main", f"{PRIVATE}sell", "GET", "orders",
                        _order("deribit-main", "BTC/USDC:USDC", "3", side="sell",
                               limit_price="63900")),
    "cancel": Write("deribit-main", f"{PRIVATE}cancel", "GET", "",
                    _resting("deribit-main", "BTC/USDC:USDC", "3"), "cancel"),
    "transfer": Write("deribit-main", f"{PRIVATE}submit_transfer_between_subaccounts", "GET",
                      "transfers", _transfer("deribit-main", "deribit-a", "USDC")),
    "withdrawal": Write("deribit-main", f"{PRIVATE}withdraw", "GET", "withdrawals",
                        OUT["deribit"]),
    "move": Write("deribit-main", f"{PRIVATE}move_positions", "GET", "moves",
                  _move("deribit-main", "deribit-a", COIN, "sell", "100")),
}  # fmt: skip
WRITES: Mapping[str, Mapping[str, Write]] = {
    "bybit": BYBIT,
    "binance": BINANCE,
    "okx": OKX,
    "deribit": DERIBIT,
}
TWICE = Expected("Ack", 2)
TOO_LATE = Expected("Rejected", 1)
EXCEPTIONS: Mapping[tuple[str, str, str], Expected] = {
    ("bybit", "move", "duplicate"): TWICE,
    ("binance", "USD-M order", "duplicate"): TWICE,
    ("binance", "COIN-M order", "duplicate"): TWICE,
    ("binance", "spot order", "duplicate"): TWICE,
    ("binance", "USD-M batch", "duplicate"): TWICE,
    ("binance", "COIN-M batch", "duplicate"): TWICE,
    ("binance", "wallet transfer", "duplicate"): TWICE,
    ("okx", "order", "duplicate"): TWICE,
    ("okx", "batch", "duplicate"): TWICE,
    ("okx", "dead man's switch", "duplicate"): TWICE,
    ("binance", "dead man's switch", "duplicate"): TWICE,
    **{(venue, "cancel", "duplicate"): TOO_LATE for venue in ("bybit", "binance", "okx")},
    ("deribit", "cancel", "duplicate"): Expected("Unknown", 1),
    ("deribit", "cancel", "stale"): Expected("Unknown", 0),
}
"""Where a venue differs from what `FAULTS` says: venue, write, fault.

A request that the network delivers twice is carried out twice where the venue forgets an ended
order's client id (Binance, OKX), or takes no key (a wallet transfer at Binance, a move at Bybit);
two transfers or moves make a look-up unsure, of two orders it tells one, and the position tells
the other. A second copy of a cancel comes too late. Deribit cancels by its own id, which a look-up
that lags does not give: nothing is sent then.
"""


def expected(venue: str, write: str, fault: str) -> Expected:
    """Tell what has to come of a write under a fault."""
    return EXCEPTIONS.get((venue, write, fault), FAULTS[fault])


def cases() -> Sequence[tuple[str, str, str]]:
    """List venue, write and fault of every cell."""
    return [
        (venue, write, fault) for venue, rows in WRITES.items() for write in rows
        for fault in FAULTS
    ]  # fmt: skip
