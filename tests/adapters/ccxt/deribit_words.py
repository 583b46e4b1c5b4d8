"""Orders, transfers, withdrawals and moves at Deribit, and what the exchange counts of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allocator.adapters.emulator.testing import Emulator
from allocator.models.intents import Intent, MoveIntent, OrderIntent, TransferIntent

ID = "0123456789abcdef0123456789abcdef"
INVERSE, LINEAR, SPOT = "deribit:BTC/USD:BTC", "deribit:BTC/USDC:USDC", "deribit:BTC/USDC"
CALL, PUT = "deribit:BTC/USD:BTC-300628-70000-C", "deribit:BTC/USD:BTC-300628-60000-P"
PRIVATE = "/api/v2/private/"
HOME = "TBybitFundOne1111111111111111111111"
ROUTE = "deribit-main>bybit-fund"


def order(**changes: Any) -> OrderIntent:
    data = {
        "client_id": ID,
        "account": "deribit-main",
        "instrument": LINEAR,
        "side": "buy",
        "quantity": "3",
        "limit_price": "64100",
    }
    return OrderIntent.model_validate({**data, **changes})


def transfer(**changes: Any) -> TransferIntent:
    data = {
        "client_id": ID,
        "route": "internal:deribit-main>deribit-a:USDC",
        "source": "deribit-main",
        "target": "deribit-a",
        "asset": "USDC",
        "amount": "1000.1",
    }
    return TransferIntent.model_validate({**data, **changes})


def withdrawal(**changes: Any) -> TransferIntent:
    return transfer(
        **{"route": ROUTE, "target": "bybit-fund", "asset": "USDT", "amount": "500.5", **changes}
    )


def move(**changes: Any) -> MoveIntent:
    data = {
        "client_id": ID,
        "source": "deribit-main",
        "target": "deribit-a",
        "instrument": INVERSE,
        "side": "sell",
        "quantity": "100",
        "price": "63993.5",
    }
    return MoveIntent.model_validate({**data, **changes})


def count(emulator: Emulator, kind: str) -> int:
    """Count what the exchange carried out."""
    rows: Any = emulator.admin("GET", "effects")
    return sum(row["count"] for row in rows[kind])


def arrived(emulator: Emulator, path: str) -> int:
    """Count how often a request reached the exchange."""
    rows: Any = emulator.admin("GET", "requests")
    return sum(row["path"] == path for row in rows)


@dataclass(frozen=True)
class Write:
    """An action, the path it is asked for by, and what the exchange counts of it."""

    intent: Intent
    path: str
    effects: str


WRITES: Mapping[str, Write] = {
    "order": Write(order(), "buy", "orders"),
    "sell": Write(order(side="sell", limit_price="63900"), "sell", "orders"),
    "option": Write(order(instrument=CALL, quantity="0.3", limit_price="0.1345"), "buy", "orders"),
    "transfer": Write(transfer(), "submit_transfer_between_subaccounts", "transfers"),
    "withdrawal": Write(withdrawal(), "withdraw", "withdrawals"),
    "move": Write(move(), "move_positions", "moves"),
}
