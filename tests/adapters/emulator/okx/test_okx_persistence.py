"""What the venue answered outlives the process: orders, settings, transfers, ids."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from allocator.adapters.emulator.testing import running_emulator

Raw = Callable[..., dict[str, Any]]
ORDER = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "post_only",
         "sz": "1", "px": "62000", "clOrdId": "kept"}  # fmt: skip
MOVE = {"ccy": "USDT", "amt": "5", "from": "18", "to": "6", "clientId": "kept"}


def test_a_restarted_exchange_knows_what_it_answered(
    tmp_path: Path, caller: Callable[[int], Raw]
) -> None:
    with running_emulator(tmp_path) as emulator:
        raw = caller(emulator.port)
        (placed,) = raw("POST", "trade/order", **ORDER)["data"]
        (moved,) = raw("POST", "asset/transfer", **MOVE)["data"]
        may = raw("POST", "users/subaccount/set-transfer-out", subAcct="okxb")
        assert may["code"] == "0"
    with running_emulator(tmp_path) as emulator:
        raw = caller(emulator.port)
        (pending,) = raw("GET", "trade/orders-pending")["data"]
        assert pending["ordId"] == placed["ordId"]
        assert raw("POST", "trade/order", **ORDER)["data"][0]["sCode"] == "51016"
        (state,) = raw("GET", "asset/transfer-state", clientId="kept")["data"]
        assert state["transId"] == moved["transId"]
        assert raw("POST", "asset/transfer", **MOVE)["code"] == "50071"
        rights = raw("GET", "users/subaccount/list")["data"]
        assert {row["subAcct"]: row["canTransOut"] for row in rights} == {
            "okxa": False, "okxb": True,
        }  # fmt: skip
        (other,) = raw("POST", "trade/order", **{**ORDER, "clOrdId": "next"})["data"]
        assert int(other["ordId"]) > int(placed["ordId"])
