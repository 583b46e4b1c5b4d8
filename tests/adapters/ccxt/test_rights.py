"""What a key may do, read as each venue's page has it; what no page tells is said to be unknown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.adapters.ccxt.keys import keys
from allocator.adapters.ccxt.rights import TELLS, Rights
from tests.adapters.ccxt import (
    bitget_payloads,
    gateio_payloads,
    hyperliquid_payloads,
    kraken_payloads,
    kucoin_payloads,
    test_modes,
)
from tests.adapters.ccxt.recorded import Recorded, playing

PAYLOADS = {
    "bitget": bitget_payloads.RECORDED,
    "gate": gateio_payloads.RECORDED,
    "hyperliquid": hyperliquid_payloads.RECORDED,
    "krakenfutures": kraken_payloads.RECORDED,
    "kucoinfutures": kucoin_payloads.RECORDED,
}
INFO = "GET /api/v2/spot/account/info"
KEYS, OWN = "GET /api/v4/account/main_keys", "GET /api/v1/user/api-key"
ROLE = "POST /info#userRole"


def bitget(*words: str) -> dict[str, Any]:
    return {INFO: bitget_payloads.ok({"userId": "1", "authorities": list(words)})}


def kucoin(words: str) -> dict[str, Any]:
    return {OWN: kucoin_payloads.ok({"permission": words, "ipWhitelist": "203.0.113.1"})}


def gate(*keys: tuple[str, str]) -> dict[str, Any]:
    return {
        KEYS: [
            {"state": 1, "key": key, "perms": [{"name": "futures", "read_only": False},
                                               {"name": name, "read_only": False}]}
            for key, name in keys
        ]
    }  # fmt: skip


def asked(recorded: Recorded, table: dict[str, Any], patch: pytest.MonkeyPatch) -> bool | str:
    with playing(recorded, patch) as (venue, _, config):
        venue.table |= table
        (told,) = asyncio.run(keys(config)).rights.values()
        return told.withdraws


@pytest.mark.parametrize(
    ("venue", "table", "told"),
    [
        ("bitget", bitget("read", "contract_trade", "transfer"), False),
        ("bitget", bitget("read", "contract_trade", "withdraw"), True),
        ("kucoinfutures", kucoin("General,Futures,Transfer"), False),
        ("kucoinfutures", kucoin("General,Futures,Withdrawal"), True),
        ("gate", gate(("gate-k*****", "wallet"), ("other*****", "withdraw")), False),
        ("gate", gate(("gate-k*****", "withdraw"), ("other*****", "wallet")), True),
        ("hyperliquid", {ROLE: {"role": "agent", "data": {"user": hyperliquid_payloads.ADDRESS}}},
         False),
    ],
)  # fmt: skip
def test_whether_a_key_may_withdraw_is_read(
    monkeypatch: pytest.MonkeyPatch, venue: str, table: dict[str, Any], told: bool
) -> None:
    assert asked(PAYLOADS[venue], table, monkeypatch) is told


def test_a_user_s_own_key_of_a_chain_may_withdraw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of the key 0x11...11, which then signs for itself."""
    own = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
    recorded = hyperliquid_payloads.RECORDED
    with playing(recorded, monkeypatch) as (_, _, config):
        monkeypatch.setenv("HYPERLIQUID_KEY", own)
        assert asyncio.run(keys(config)).rights == {"main": Rights(withdraws=True)}


@pytest.mark.parametrize(
    ("venue", "table", "words"),
    [
        ("bitget", bitget("coow", "cpow"), "rights coow, cpow are on no page read"),
        ("bitget", {INFO: bitget_payloads.ok({"userId": "1"})}, "no 'authorities'"),
        ("gate", gate(("gate-k*****", "wallet"), ("gate*****", "wallet")), "2 keys of the list"),
        ("gate", gate(("other*****", "wallet")), "0 keys of the list"),
        ("hyperliquid", {ROLE: {"role": "user"}}, "address of a user, not of an API wallet"),
        ("krakenfutures", {}, "cannot be told by this venue"),
    ],
)
def test_what_is_not_told_is_said_to_be_unknown(
    monkeypatch: pytest.MonkeyPatch, venue: str, table: dict[str, Any], words: str
) -> None:
    told = asked(PAYLOADS[venue], table, monkeypatch)
    assert isinstance(told, str)
    assert words in told


def test_every_venue_is_asked() -> None:
    assert TELLS.keys() == DIALECTS.keys()


def binance(**told: Any) -> tuple[str, Any]:
    return "sapi_get_account_apirestrictions", {"enableWithdrawals": False, **told}


def bybit(**told: Any) -> tuple[str, Any]:
    wallet = {"permissions": {"Wallet": ["AccountTransfer"]}}
    return "private_get_v5_user_query_api", test_modes.enveloped(**wallet, **told)


def okx(**told: Any) -> tuple[str, Any]:
    row = {"perm": "read_only,trade", **told}
    return "private_get_account_config", {"code": "0", "data": [row]}


@pytest.mark.parametrize(
    ("venue", "answer", "anywhere"),
    [
        ("binance", binance(ipRestrict=False), True),
        ("binance", binance(ipRestrict=True), False),
        ("binance", binance(), None),
        ("bybit", bybit(ips=["*"]), True),
        ("bybit", bybit(ips=["203.0.113.1"]), False),
        ("bybit", bybit(), None),
        ("okx", okx(ip=""), True),
        ("okx", okx(ip="203.0.113.1"), False),
        ("okx", okx(), None),
    ],
)
def test_whether_any_address_may_use_a_key_is_read_in_the_same_answer(
    venue: str, answer: tuple[str, Any], anywhere: bool | None
) -> None:
    login = test_modes.place(venue, "unified", dict([answer])).login
    assert asyncio.run(TELLS[venue](login)) == Rights(withdraws=False, anywhere=anywhere)
