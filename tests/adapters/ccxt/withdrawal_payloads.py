"""Withdrawals at Gate, Bitget and KuCoin as their documentation shows them.

Shapes: the example answers of Gate's pages "Withdraw", "Get withdrawal records", "Query withdrawal
status", "Query chains supported for specified currency" (www.gate.com/docs/developers/apiv4/en,
wallet and withdrawal) and the model SavedAddress of its own clients; of Bitget's
spot/account/Wallet-Withdrawal, Get-Withdraw-Record and spot/market/Get-Coin-List
(www.bitget.com/api-doc); of KuCoin's "Apply Withdraw (V3)", "Get Withdrawals List", "Get Currency
Detail" (www.kucoin.com/docs). Coins, fees and least amounts are made to be those of one USDT over
one network at all three: fee 1.5, least 10, six digits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from allocator.adapters.emulator.wire import Reply
from allocator.models.config import AddressConfig

ADDRESS = "TFcWfiw5p5DDZ6vi6Bktf7yK1asRYLpN33"
TXID = "855182adcdbf968e6c0854de1d9ef04f9542ae27337f87ccbe2f6d1e995ec01b"

GATE_STATUS: dict[str, Any] = {
    "currency": "USDT", "name": "Tether", "name_cn": "Tether", "deposit": "0",
    "withdraw_percent": "0%", "withdraw_fix": "15", "withdraw_day_limit": "20000",
    "withdraw_day_limit_remain": "20000", "withdraw_amount_mini": "10",
    "withdraw_eachtime_limit": "20000", "withdraw_fix_on_chains": {"TRX": "1.5", "ETH": "15"},
    "withdraw_percent_on_chains": {"TRX": "0%", "ETH": "0%"},
}  # fmt: skip
GATE_CHAIN: dict[str, Any] = {
    "chain": "TRX", "name_cn": "TRC20", "name_en": "TRON/TRC20", "contract_address": "",
    "is_disabled": 0, "is_deposit_disabled": 0, "is_withdraw_disabled": 0, "decimal": "6",
    "is_tag": 0,
}  # fmt: skip
GATE_SAVED: dict[str, Any] = {
    "currency": "usdt", "chain": "TRX", "address": ADDRESS, "name": "fund", "tag": "",
    "verified": "1",
}  # fmt: skip
GATE_SENT: dict[str, Any] = {
    "id": "w1879219868", "currency": "USDT", "address": ADDRESS, "amount": "22.5", "memo": "",
    "status": "REQUEST", "chain": "TRX", "withdraw_order_id": "",
}  # fmt: skip


def gate_record(key: str, **other: Any) -> dict[str, Any]:
    return {
        "id": "w1879219868", "currency": "USDT", "address": ADDRESS, "amount": "22.5",
        "fee": "1.5", "txid": TXID, "chain": "TRX", "timestamp": "1790000001", "status": "DONE",
        "withdraw_order_id": key, "block_number": "1000", "fail_reason": "", "type": "",
        "timestamp2": "1790000060", "memo": "", **other,
    }  # fmt: skip


BITGET_CHAIN: dict[str, Any] = {
    "chain": "TRC20", "needTag": "false", "withdrawable": "true", "rechargeable": "true",
    "withdrawFee": "1.5", "extraWithdrawFee": "0", "depositConfirm": "1", "withdrawConfirm": "1",
    "minDepositAmount": "0.001", "minWithdrawAmount": "10",
    "browserUrl": "https://tronscan.org/#/transaction/", "contractAddress": "",
    "withdrawStep": "0", "withdrawMinScale": "6", "congestion": "normal",
}  # fmt: skip


def bitget_ok(data: Any) -> dict[str, Any]:
    return {"code": "00000", "msg": "success", "requestTime": 1695808949356, "data": data}


def bitget_coin(**chain: Any) -> dict[str, Any]:
    return bitget_ok(
        [{"coinId": "2", "coin": "USDT", "transfer": "true",
          "chains": [{**BITGET_CHAIN, **chain}]}]
    )  # fmt: skip


def bitget_record(key: str, **other: Any) -> dict[str, Any]:
    return {
        "orderId": "1094957867615789056", "tradeId": TXID, "coin": "USDT", "dest": "on_chain",
        "clientOid": key, "type": "withdraw", "tag": "", "size": "22.50000000",
        "fee": "-1.50000000", "status": "success", "toAddress": ADDRESS, "fromAddress": "2",
        "confirm": "100", "chain": "TRC20", "cTime": "1790000001000", "uTime": "1790000060000",
        **other,
    }  # fmt: skip


KUCOIN_CHAIN: dict[str, Any] = {
    "chainName": "TRC20", "withdrawalMinSize": "10", "depositMinSize": "1",
    "withdrawFeeRate": "0", "withdrawalMinFee": "1.5", "isWithdrawEnabled": True,
    "isDepositEnabled": True, "confirms": 20, "preConfirms": 20, "contractAddress": "",
    "withdrawPrecision": 6, "maxWithdraw": None, "maxDeposit": None, "needTag": False,
    "chainId": "trx",
}  # fmt: skip


def kucoin_ok(data: Any) -> dict[str, Any]:
    return {"code": "200000", "data": data}


def kucoin_coin(**chain: Any) -> dict[str, Any]:
    return kucoin_ok(
        {"currency": "USDT", "name": "USDT", "fullName": "Tether", "precision": 8,
         "confirms": None, "contractAddress": None, "isMarginEnabled": True,
         "isDebitEnabled": True, "chains": [{**KUCOIN_CHAIN, **chain}]}
    )  # fmt: skip


def kucoin_record(key: str, **other: Any) -> dict[str, Any]:
    return {
        "id": "5c2dc64e03aa675aa263f1ac", "address": ADDRESS, "memo": "", "currency": "USDT",
        "chain": "trx", "amount": "21", "fee": "1.5", "walletTxId": f"{TXID}@{ADDRESS}",
        "isInner": False, "status": "SUCCESS", "remark": key, "createdAt": 1790000001000,
        "updatedAt": 1790000060000, **other,
    }  # fmt: skip


def kucoin_listed(*rows: Any) -> dict[str, Any]:
    return kucoin_ok(
        {"currentPage": 1, "pageSize": 50, "totalNum": len(rows), "totalPage": 1,
         "items": list(rows)}
    )  # fmt: skip


GATE: dict[str, Any] = {
    "GET /api/v4/wallet/withdraw_status": [GATE_STATUS],
    "GET /api/v4/wallet/currency_chains": [GATE_CHAIN],
    "GET /api/v4/wallet/saved_address": [GATE_SAVED],
    "GET /api/v4/wallet/withdrawals": [],
    "POST /api/v4/withdrawals": GATE_SENT,
}
BITGET: dict[str, Any] = {
    "GET /api/v2/spot/public/coins": bitget_coin(),
    "GET /api/v2/spot/wallet/withdrawal-records": bitget_ok([]),
    "POST /api/v2/spot/wallet/withdrawal": bitget_ok(
        {"orderId": "1094957867615789056", "clientOid": "64f1e4ce842041d296b4517df1b5c2d7"}
    ),
}
KUCOIN: dict[str, Any] = {
    "GET /api/v3/currencies/USDT": kucoin_coin(),
    "GET /api/v1/withdrawals": kucoin_listed(),
    "POST /api/v3/withdrawals": kucoin_ok({"withdrawalId": "5c2dc64e03aa675aa263f1ac"}),
}
"""What terms, a withdrawal and its look-up ask, by method and path."""


@dataclass(frozen=True)
class Withdrawn:
    """How a venue's withdrawals are asked and answered.

    Attributes
    ----------
    account
        The one that withdraws.
    sent, records
        Rows of the request and of the look-up.
    body
        What asks for 21 USDT to arrive.
    venue_id
        The id that the answer gives.
    listed, record
        Write what a look-up is answered, and a row of it that bears a key.
    terms
        Writes what tells the terms, with changes to the network's.
    failed, under_way
        Words of its status; ``under_way`` are those besides the one that it has left.
    refusals
        Codes, or labels, that say that this request was certainly not carried out.
    no
        Writes a refusal.
    credited
        What a receiving account's look for the transaction is answered.
    """

    network: str
    account: str
    sent: str
    records: str
    body: Mapping[str, Any]
    venue_id: str
    listed: Callable[..., Any]
    record: Callable[..., dict[str, Any]]
    terms: Callable[..., dict[str, Any]]
    failed: tuple[str, ...]
    under_way: tuple[str, ...]
    refusals: tuple[str, ...]
    no: Callable[[str], Reply]
    credited: Mapping[str, Any]

    @property
    def address(self) -> AddressConfig:
        return AddressConfig(network=self.network, address=ADDRESS)


def _gate_terms(fee: Any = "1.5", **chain: Any) -> dict[str, Any]:
    fees = {} if fee is None else {"TRX": fee}
    return {
        "GET /api/v4/wallet/withdraw_status": [{**GATE_STATUS, "withdraw_fix_on_chains": fees}],
        "GET /api/v4/wallet/currency_chains": [{**GATE_CHAIN, **chain}],
    }


def _gate(key: str) -> Withdrawn:
    return Withdrawn(
        network="TRX",
        account="spot",
        sent="POST /api/v4/withdrawals",
        records="GET /api/v4/wallet/withdrawals",
        body={
            "withdraw_order_id": key, "currency": "USDT", "address": ADDRESS,
            "amount": "22.5", "chain": "TRX",
        },
        venue_id="w1879219868",
        listed=lambda *rows: list(rows),
        record=gate_record,
        terms=_gate_terms,
        failed=("CANCEL", "REJECT"),
        under_way=("REQUEST", "MANUAL", "EXTPEND", "FAIL", "REVIEW", "CANCELPEND"),
        refusals=("ADDRESS_NOT_USED", "WITHDRAWAL_OVER_LIMIT", "API_WITHDRAW_DISABLED",
                  "BALANCE_NOT_ENOUGH"),
        no=lambda code: Reply({"label": code, "message": "no"}, 400),
        credited={
            "GET /api/v4/wallet/deposits": [
                {"id": "210496", "timestamp": "1790000055", "currency": "USDT",
                 "address": ADDRESS, "txid": TXID, "amount": "21", "memo": "",
                 "status": "DONE", "chain": "TRX"}
            ]
        },
    )  # fmt: skip


def _bitget(key: str) -> Withdrawn:
    return Withdrawn(
        network="TRC20",
        account="spot",
        sent="POST /api/v2/spot/wallet/withdrawal",
        records="GET /api/v2/spot/wallet/withdrawal-records",
        body={
            "coin": "USDT", "transferType": "on_chain", "address": ADDRESS, "chain": "TRC20",
            "size": "22.5", "clientOid": key,
        },
        venue_id="1094957867615789056",
        listed=lambda *rows: bitget_ok(list(rows)),
        record=bitget_record,
        terms=lambda fee="1.5", **chain: {
            "GET /api/v2/spot/public/coins": bitget_coin(withdrawFee=fee, **chain)
        },
        failed=("fail",),
        under_way=("pending",),
        refusals=("11000", "50101", "13001", "13004", "13212", "40021", "40052", "43012"),
        no=lambda code: Reply({"code": code, "msg": "no", "requestTime": 1, "data": None}, 400),
        credited={
            "GET /api/v2/spot/wallet/deposit-records": bitget_ok(
                [{"orderId": "1", "tradeId": TXID, "coin": "USDT", "type": "deposit",
                  "size": "21", "status": "success", "toAddress": ADDRESS, "chain": "TRC20"}]
            )
        },
    )  # fmt: skip


def _kucoinfutures(key: str) -> Withdrawn:
    return Withdrawn(
        network="trx",
        account="main",
        sent="POST /api/v3/withdrawals",
        records="GET /api/v1/withdrawals",
        body={
            "currency": "USDT", "toAddress": ADDRESS, "withdrawType": "ADDRESS",
            "chain": "trx", "amount": "21", "feeDeductType": "EXTERNAL", "isInner": False,
            "remark": key,
        },
        venue_id="5c2dc64e03aa675aa263f1ac",
        listed=kucoin_listed,
        record=kucoin_record,
        terms=lambda fee="1.5", **chain: {
            "GET /api/v3/currencies/USDT": kucoin_coin(withdrawalMinFee=fee, **chain)
        },
        failed=("FAILURE",),
        under_way=("REVIEW", "PROCESSING", "WALLET_PROCESSING"),
        refusals=("200004", "260210", "260325"),
        no=lambda code: Reply({"code": code, "msg": "no"}),
        credited={
            "GET /api/v1/deposits": kucoin_listed(
                {"currency": "USDT", "status": "SUCCESS", "amount": "21", "address": ADDRESS,
                 "walletTxId": f"{TXID}@{ADDRESS}"}
            )
        },
    )  # fmt: skip


def withdrawn(key: str) -> dict[str, Withdrawn]:
    """Describe all three for a client id."""
    return {"gate": _gate(key), "bitget": _bitget(key), "kucoinfutures": _kucoinfutures(key)}
