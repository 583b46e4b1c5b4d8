"""The loopback OKX counts requests and orders as the venue says it does."""

from collections.abc import Callable

from allocator.adapters.emulator.testing import running_emulator
from tests.adapters.emulator.okx.test_okx_cases import MOVE, ORDER, SPOT, A, Raw


def test_limits_are_counted_by_their_documented_scopes(caller: Callable[[int], Raw]) -> None:
    with running_emulator(limit_scale=1) as emulator:
        raw = caller(emulator.port)
        codes = [raw("GET", "account/config")["code"] for _ in range(6)]
        assert codes == ["0"] * 5 + ["50011"]
        assert raw("GET", "account/config")["status"] == 429
        assert raw("GET", "account/config", login=A)["code"] == "0"
        move = {**MOVE, "amt": "1"}
        coins = [raw("POST", "asset/transfer", **move)["code"] for _ in range(3)]
        assert coins == ["0", "0", "50011"]
        assert raw("POST", "asset/transfer", **{**move, "ccy": "BTC", "amt": "0.1"})["code"] == "0"
        one = [raw("POST", "trade/order", **ORDER)["code"] for _ in range(61)]
        assert one == ["0"] * 60 + ["50011"]
        other = {**ORDER, "instId": "ETH-USDT-SWAP", "px": "3000"}
        assert raw("POST", "trade/order", **other)["code"] == "0"
        alone = raw("POST", "trade/batch-orders", rows=[ORDER])
        assert alone["code"] == "50011"
        assert raw("POST", "trade/batch-orders", rows=[ORDER, ORDER])["code"] == "0"


def test_a_member_s_new_orders_are_counted_over_all_contracts(
    caller: Callable[[int], Raw],
) -> None:
    with running_emulator(limit_scale=1) as emulator:
        raw = caller(emulator.port)
        codes = list[str]()
        for name, price in (("BTC-USDT-SWAP", "62000"), ("ETH-USDT-SWAP", "3000"),
                            ("BTC-USD-SWAP", "62000"), ("XRP-USDT-SWAP", "1")):  # fmt: skip
            orders = [{**ORDER, "instId": name, "px": price, "sz": "0.1"}] * 20
            codes += [raw("POST", "trade/batch-orders", rows=orders)["code"] for _ in range(15)]
        assert codes.count("50061") == 10
        assert raw("POST", "trade/order", **SPOT)["code"] == "0"
