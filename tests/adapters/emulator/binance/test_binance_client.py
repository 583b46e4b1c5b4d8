"""The unmodified client gathers, trades, moves and withdraws against the loopback exchange."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from allocator.adapters.emulator.testing import Emulator

Run = Callable[..., Any]
MARKETS = ("BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC")
SUB = "binance-sub1@fund-one.example"


def test_markets_carry_sizes_steps_and_settlement(run: Run) -> None:
    markets = run(lambda client: client.load_markets())
    assert set(markets) == {*MARKETS, "ETH/USDT:USDT"}
    inverse = markets["BTC/USD:BTC"]
    assert (inverse["contractSize"], inverse["settle"], inverse["inverse"]) == ("100", "BTC", True)
    linear = markets["BTC/USDT:USDT"]
    assert linear["precision"] == {
        "amount": "0.001",
        "price": "0.1",
        "base": "0.00000001",
        "quote": "0.00000001",
    }
    assert linear["limits"]["cost"]["min"] == "100"
    assert linear["limits"]["market"]["max"] == "120"


def test_each_wallet_is_a_pool_of_its_own(run: Run) -> None:
    async def work(client: Any) -> list[Any]:
        return [
            await client.fetch_balance({"type": "spot"}),
            await client.fetch_balance({"type": "swap", "subType": "linear"}),
            await client.fetch_balance({"type": "swap", "subType": "inverse"}),
        ]

    spot, linear, inverse = run(work)
    assert (spot["USDT"]["total"], spot["BTC"]["total"]) == ("120000", "1.5")
    assert linear["info"]["totalWalletBalance"] == "60000.00000000"
    assert "BTC" not in linear
    assert inverse["info"]["assets"][0]["walletBalance"] == "3.00000000"


def test_positions_of_both_kinds_are_found_with_their_brackets(run: Run) -> None:
    async def work(client: Any) -> list[Any]:
        linear = await client.fetch_positions(None, {"subType": "linear"})
        inverse = await client.fetch_positions(None, {"subType": "inverse"})
        tiers = [
            await client.fetch_leverage_tiers(None, {"type": "swap", "subType": kind})
            for kind in ("linear", "inverse")
        ]
        return [linear, inverse, tiers]

    (linear,), (inverse,), tiers = run(work)
    assert (linear["symbol"], linear["side"], linear["contracts"]) == ("BTC/USDT:USDT", "long", "6")
    assert (inverse["side"], inverse["contracts"], inverse["contractSize"]) == (
        "short",
        "1200",
        "100",
    )
    assert tiers[0]["BTC/USDT:USDT"][3]["maxNotional"] == "12000000"
    assert tiers[1]["BTC/USD:BTC"][3]["info"]["qtyCap"] == 50


def test_maintenance_margin_is_that_of_the_bracket(run: Run) -> None:
    account = run(lambda client: client.fapiprivatev3_get_account())
    notional = Decimal(account["positions"][0]["notional"])
    expected = notional * Decimal("0.005") - 300
    assert Decimal(account["positions"][0]["maintMargin"]) == expected
    assert Decimal(account["totalMaintMargin"]) == expected


@pytest.mark.parametrize(
    ("symbol", "amount"), list(zip(MARKETS, ("0.01", "0.1", "10"), strict=True))
)
def test_an_order_is_filled_found_by_its_client_id_and_listed_as_a_trade(
    run: Run, symbol: str, amount: str
) -> None:
    async def work(client: Any) -> tuple[Any, Any, Any]:
        terms = {"clientOrderId": "alloc-1", "timeInForce": "IOC"}
        made = await client.create_order(symbol, "limit", "buy", amount, "64500", terms)
        found = await client.fetch_order(None, symbol, {"clientOrderId": "alloc-1"})
        return made, found, await client.fetch_my_trades(symbol)

    made, found, trades = run(work)
    assert (made["id"], made["status"]) == (found["id"], "closed")
    assert Decimal(found["filled"]) == Decimal(amount)
    assert {t["order"] for t in trades} == {made["id"]}
    assert sum(Decimal(t["amount"]) for t in trades) == Decimal(amount)


@pytest.mark.parametrize("symbol", MARKETS)
def test_a_resting_order_is_listed_until_it_is_cancelled(run: Run, symbol: str) -> None:
    async def work(client: Any) -> tuple[Any, Any, Any]:
        terms = {"clientOrderId": "alloc-2", "timeInForce": "GTC"}
        await client.create_order(symbol, "limit", "buy", "1", "63000", terms)
        before = await client.fetch_open_orders(symbol)
        gone = await client.cancel_order(None, symbol, {"clientOrderId": "alloc-2"})
        return before, gone, await client.fetch_open_orders(symbol)

    before, gone, after = run(work)
    assert [o["clientOrderId"] for o in before] == ["alloc-2"]
    assert (gone["status"], after) == ("canceled", [])


def test_an_own_transfer_moves_coins_and_shows_in_history(run: Run) -> None:
    async def work(client: Any) -> tuple[Any, Any, Any]:
        done = await client.transfer("USDT", "2500.5", "spot", "linear")
        listed = await client.fetch_transfers(
            "USDT", None, None, {"fromAccount": "spot", "toAccount": "linear"}
        )
        return done, listed, await client.fetch_balance({"type": "spot"})

    done, (listed,), spot = run(work)
    assert (listed["id"], listed["amount"], listed["status"]) == (done["id"], "2500.5", "ok")
    assert Decimal(spot["USDT"]["total"]) == Decimal("117499.5")


def test_a_universal_transfer_with_a_known_id_is_refused_and_can_be_found(run: Run) -> None:
    async def work(client: Any) -> tuple[Any, Any, Any]:
        terms = {
            "toEmail": SUB,
            "fromAccountType": "SPOT",
            "toAccountType": "USDT_FUTURE",
            "asset": "USDT",
            "amount": "750",
            "clientTranId": "move-1",
        }
        done = await client.sapi_post_sub_account_universaltransfer(terms)
        with pytest.raises(Exception, match="-4115"):
            await client.sapi_post_sub_account_universaltransfer(terms)
        found = await client.sapi_get_sub_account_universaltransfer({"clientTranId": "move-1"})
        return done, found, None

    done, found, _ = run(work)
    assert [row["tranId"] for row in found["result"]] == [done["tranId"]]
    balance = run(
        lambda client: client.fetch_balance({"type": "swap", "subType": "linear"}), "binance-sub1"
    )
    assert balance["info"]["totalWalletBalance"] == "16750.00000000"


def test_a_withdrawal_to_the_other_venue_arrives_there_later(run: Run, emulator: Emulator) -> None:
    home = "TBybitFundOne1111111111111111111111"

    async def send(client: Any) -> Any:
        terms = {"network": "TRC20", "withdrawOrderId": "out-1"}
        return await client.withdraw("USDT", "1000", home, terms)

    async def find(client: Any) -> Any:
        return await client.fetch_withdrawals("USDT", None, None, {"withdrawOrderId": "out-1"})

    sent = run(send)
    (pending,) = run(find)
    emulator.admin("POST", "clock", advance_ms=5000)
    (arrived,) = run(find)
    assert (pending["id"], pending["status"], pending["amount"]) == (sent["id"], "pending", "999")
    assert (arrived["status"], arrived["fee"]["cost"]) == ("ok", "1")
    state: Any = emulator.admin("GET", "state?kind=deposit")
    assert [(d["user"], d["amount"]) for d in state["deposit"]] == [("bybit:10000001", "999")]


def test_the_key_shows_its_rights_and_the_main_account_its_sub_accounts(run: Run) -> None:
    async def work(client: Any) -> tuple[Any, Any]:
        rights = await client.sapi_get_account_apirestrictions()
        return rights, await client.sapi_get_sub_account_list({"limit": 200})

    rights, subs = run(work)
    assert rights["enableWithdrawals"] is True
    assert [row["email"] for row in subs["subAccounts"]] == [SUB]
