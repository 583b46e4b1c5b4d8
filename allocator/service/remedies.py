"""What to do about what the doctor finds: in general, and where to click or what to set at a venue.

The first sign that a finding's words hold tells its kind. A request of the venue's API is named
where it has one, since menus move about. A menu that was read on a page of the venue's help stands
as it is: KuCoin's (support 360015102174, announcement of 12 September 2025), Gate's keys (help
17521), Kraken's (support 360022839451). Any other was not read on one, and is told as likely.
"""

from __future__ import annotations

from collections.abc import Mapping

UNREACHED = "check that the venue can be reached from here, and its status page"
READING = "check the key of the login, and that it may read"

SIGNS: Mapping[str, str] = {
    "NO_SECRET": "lacking",
    "SAME_POOL": "same pool",
    "CLOCK_SKEW": "clock",
    " has no market ": "no market",
    " is traded from the ": "instruments",
    " is not traded from ": "instruments",
    "the wallet only holds": "instruments",
    " has no price": "price",
    "no market data of ": "no data",
    " s old": "old",
    "not quoted on both sides": "unquoted",
    "has no leverage": "leverage",
    "orders are not read, and ": "locked",
    " is isolated: ": "isolated",
    "cross and isolated at once": "isolated",
    "may be liquidating": "liquidation",
    "a bonus": "bonus",
    "unknown market": "not represented",
    "not represented here": "not represented",
    "member is not configured": "member",
    "no address is registered": "address",
    "fee and minimum were not read": "address",
    "withdrawn from here": "route",
    "arrival is seen here": "route",
    "a settlement network": "route",
    "transfer from here goes": "route",
    "is moved from here": "route",
    "UNREAD_WALLET": "unread",
    "DUST": "dust",
    ": choose one of": "wallet",
    "close all of a position": "closing",
    ": not traded: ": "market",
    "signature": "secret",
    "passphrase": "passphrase",
    "ok-access-key": "key",
    "acctlv": "account mode",
    "api key": "key",
    "api-key": "key",
    "invalid_credentials": "key",
    "scope": "scope",
    "margin model": "margin model",
    "only classic": "classic",
    "unified account": "classic",
    "unifiedaccount": "shared",
    "portfoliomargin": "shared",
    "asset mode": "asset mode",
    "invalid_key": "key",
    "apikey": "three",
    "margin_identity": "margin rules",
    "MARGIN_LEVELS": "margin rules",
    "MAINTENANCE: ": "margin rules",
    "EQUITY_IDENTITY": "figures",
    "BUDGET": "budget",
    "does not answer": "reach",
    "requesttimeout": "reach",
    "exchangenotavailable": "reach",
    "networkerror": "reach",
    "deadline": "deadline",
    "hedge": "hedge",
    "portfolio margin": "portfolio",
    " is not known": "new word",
}
"""Kind of finding by a sign in its words; capitals do not matter."""

GENERAL: Mapping[str, str] = {
    "lacking": "put what its login signs with where the configuration says, or mend the login",
    "same pool": "give the login the keys of its own user, or take one of the accounts out",
    "clock": "set this machine's clock by NTP",
    "unread": "close what is named and move what is left to a wallet that is read (less than a "
    "dollar of free money may stay), or leave the account frozen",
    "wallet": "mend the account's `wallet`, or take the account out",
    "no market": "mend the account's `instruments`: a market is named as ccxt names it, "
    "BTC/USDT:USDT for one",
    "instruments": "move the market to an account of the wallet that trades it, or mend `wallet`",
    "price": "set the asset's price under `assets`, or see why the venues that tell it do not",
    "no data": "see what else is wrong of the market's venue, or of what the market settles in",
    "old": "see what else is wrong of the venues that tell it",
    "unquoted": "nothing has to be done: it is traded again once both sides are quoted",
    "leverage": "select a leverage for the market at the venue",
    "locked": "cancel the orders at the venue; what waits to be withdrawn frees it as it leaves",
    "isolated": "close the position, and switch the market to cross margin at the venue",
    "liquidation": "see at once at the venue how the account stands",
    "bonus": "have the bonus taken back at the venue, or leave the account frozen",
    "not represented": "close what is named at the venue, or leave the account frozen",
    "member": "set `member` of the login",
    "other member": "set `member` of the login to whom the key is of, or put there the key of whom "
    "it names",
    "master": "have the login of the main account be the `master` of its sub-accounts' logins, and "
    "see that no two keys are in each other's place",
    "address": "name its end under `addresses`, by the network's name at the sending venue",
    "route": "take the route out, or the move, or have it go between accounts that can",
    "portfolio": "switch the account to another margin mode, or take it out",
    "new word": "leave it frozen, and see whether a newer version knows what the venue says",
    "closing": "nothing has to be done: reckon with it, or cancel it at the venue",
    "dust": "nothing has to be done: it is named, and the account is read",
    "market": "take the market off the account if the venue has ceased to list it",
    "secret": "check the key and the secret of the login",
    "passphrase": "check the passphrase of the login",
    "key": READING,
    "account mode": "switch the account to futures or multi-currency mode",
    "scope": "give the key the scope that is named",
    "margin model": "switch the account to standard margin",
    "classic": "use a classic account: unified ones are not read",
    "shared": "switch the account's mode to disabled: shared collateral is not read",
    "asset mode": "switch the account to single-asset mode",
    "three": "check the key, the secret and the passphrase of the login",
    "margin rules": "the venue's margin rules are not those documented: leave it frozen",
    "figures": "read again in a minute; if they differ still, leave it frozen and ask the venue",
    "budget": "have fewer logins at one address, or raise gather.deadline_s",
    "reach": UNREACHED,
    "deadline": "check the network, or raise gather.deadline_s",
    "hedge": "switch the account to one-way mode",
    "withdraw": "take the right to withdraw off the key, or configure the route that needs it",
    "no withdraw": "give the key the right to withdraw, or take the route out",
    "anywhere": "bind the key to the addresses of the machines that run this",
    "rights": "see at the venue that it is minimal",
}
OTHERWISE = "check that the venue answers and that the key may read"

KEYS: Mapping[str, str] = {
    "binance": "likely Profile > API Management > Edit restrictions",
    "bitget": "likely Profile > API Keys > Edit",
    "bybit": "likely Profile > API > Edit",
    "deribit": "likely Account > API Management > Edit",
    "gate": "Profile > API Management > Edit",
    "hyperliquid": "likely More > API",
    "krakenfutures": "your name > Settings > API",
    "kucoinfutures": "Profile > API Management > Edit",
    "okx": "likely Profile > API > Edit",
}
"""Where a venue's keys are listed."""

HOSTS: Mapping[str, str] = {
    "binance": "api.binance.com, fapi.binance.com, dapi.binance.com",
    "bitget": "api.bitget.com",
    "bybit": "api.bybit.com",
    "deribit": "www.deribit.com",
    "gate": "api.gateio.ws",
    "hyperliquid": "api.hyperliquid.xyz",
    "krakenfutures": "futures.kraken.com",
    "kucoinfutures": "api.kucoin.com, api-futures.kucoin.com",
    "okx": "www.okx.com",
}
"""What is asked at a venue, on port 443."""

WITHDRAW: Mapping[str, str] = {
    "binance": 'untick "Enable Withdrawals"',
    "bitget": 'untick "Withdraw"',
    "bybit": 'untick "Withdrawal" below Assets',
    "deribit": "set the scope wallet to read, where no money is to be transferred either",
    "gate": 'take "Withdraw" off the rights',
    "hyperliquid": "authorise an API wallet, and put its key into the login in place of your own; "
    "keep your own for the login that is its master, and only where money is to be transferred",
    "krakenfutures": 'set "Withdrawal API" to no access',
    "kucoinfutures": 'untick "Withdrawal"',
    "okx": 'untick "Withdraw"',
}
"""What to set there of the right to withdraw."""

ONE_WAY: Mapping[str, str] = {
    "binance": "likely Futures > Preferences > Position Mode > One-way Mode; or POST "
    "/fapi/v1/positionSide/dual with dualSidePosition=false (/dapi for COIN-M)",
    "bitget": "likely Futures > Preferences > Position mode > One-way; or POST "
    "/api/v2/mix/account/set-position-mode with posMode=one_way_mode",
    "bybit": "likely Derivatives > Preferences > Position Mode > One-Way; or POST "
    "/v5/position/switch-mode with mode=0",
    "gate": "likely Futures > Preferences > Position Mode > One-way; or POST "
    "/api/v4/futures/usdt/dual_mode with dual_mode=false",
    "kucoinfutures": "Futures > Settings > Preferences > Position Mode > One-Way Mode; or POST "
    "/api/v2/position/switchPositionMode with positionMode=0",
    "okx": "likely Trade > Settings > Position mode > Net; or POST "
    "/api/v5/account/set-position-mode with posMode=net_mode",
}
"""Where a venue that has two modes is set to one; flat, and with no open order."""

ACCOUNT_MODES: Mapping[tuple[str, str], str] = {
    (
        "okx",
        "account mode",
    ): "likely Trade > Settings > Account mode > Futures, or Multi-currency margin",
    ("deribit", "margin model"): "likely Account > Margin > Segregated, or Cross: Standard margin",
    ("bitget", "asset mode"): "likely Futures > Preferences > Asset mode > Single-asset",
    ("hyperliquid", "shared"): "likely Settings > Account mode > Disabled",
}


def remedy_for(what: str, venue: str = "") -> str:
    """Tell what to do about something that could not be read, at a venue where one is named."""
    lower = what.lower()
    kind = next((kind for sign, kind in SIGNS.items() if sign.lower() in lower), "")
    return remedy(kind, venue)


def remedy(kind: str, venue: str = "") -> str:
    """Tell what to do about a kind of finding."""
    general, where = GENERAL.get(kind, OTHERWISE), _where(kind, venue)
    return f"{general}: {where}" if where else general


def _where(kind: str, venue: str) -> str:
    """Tell what to click or set; empty where it is no matter of the venue."""
    listed = KEYS.get(venue)
    if kind == "withdraw" and listed:
        return f"{listed}, {WITHDRAW[venue]}"
    if (
        kind
        in {
            "secret",
            "passphrase",
            "key",
            "three",
            "scope",
            "rights",
            "anywhere",
            "no withdraw",
            "",
        }
        and listed
    ):
        return listed
    if kind == "reach" and venue in HOSTS:
        return f"{HOSTS[venue]}, port 443"
    if kind == "hedge":
        return ONE_WAY.get(venue, "")
    return ACCOUNT_MODES.get((venue, kind), "")
