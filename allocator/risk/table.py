"""Every pre-trade control. `docs/controls.md` is written from this table.

Sources: SEC 15c3-5; RTS 6 (EU) 2017/589, articles 12 and 15 to 17; FIA, best practices for
automated trading risk controls, 2024.
"""

from __future__ import annotations

from allocator.models.base import ZERO
from allocator.risk.breaker import Breaker
from allocator.risk.control import Control, Group


def _limit(id_: str, key: str, what: str, *, code: str = "", at_least: bool = False) -> Control:
    return Control(id_, _GROUPS[id_[:3]], key, code or key.upper(), what, at_least)


def _fact(id_: str, key: str, code: str, what: str) -> Control:
    return Control(id_, _GROUPS[id_[:3]], key, code, what, fixed=ZERO)


_GROUPS: dict[str, Group] = {
    "ORD": "order",
    "EXP": "exposure",
    "TRF": "transfer",
    "DAT": "data",
    "SYS": "system",
}

ORDER_UNITS = _limit("ORD-01", "order_units", "units of the underlying in one order")
ORDER_VALUE = _limit("ORD-02", "order_value", "value of one order, numeraire")
COLLAR = _limit(
    "ORD-03",
    "collar_bps",
    "how much worse the price is than a fresh mark, basis points",
    code="PRICE_COLLAR",
)
WINDOW_COLLAR = _limit(
    "ORD-04",
    "window_collar_bps",
    "how much worse the price is than the best mark of the window, basis points",
    code="WINDOW_COLLAR",
)
REFERENCE_AGE = _limit(
    "ORD-05",
    "reference_age_s",
    "age of the mark that the price is held against, seconds",
    code="REFERENCE_AGE",
)
DUPLICATE = _limit(
    "ORD-06",
    "duplicate_window_s",
    "seconds since an equal order of another action",
    code="DUPLICATE",
    at_least=True,
)
REPEATED = Control(
    "ORD-07",
    "order",
    "repeats",
    "REPEATED",
    "orders for one side of one instrument in one account within the window",
    latches=("account", Breaker.HALTED),
)
MESSAGES_ACCOUNT = _limit("ORD-08", "messages_account", "requests of an account in the window")
MESSAGES_LOGIN = _limit("ORD-09", "messages_login", "requests of a key in the window")
MESSAGES_OWNER = _limit("ORD-10", "messages_owner", "requests of an owner in the window")
LOT = _fact("ORD-11", "instrument.lot", "LOT", "contracts beyond a multiple of the lot")
TICK = _fact("ORD-12", "instrument.tick", "TICK", "price beyond a multiple of the tick")
SMALLEST = _fact(
    "ORD-13",
    "instrument.min_notional",
    "MIN_NOTIONAL",
    "value short of the instrument's least order, numeraire",
)
LARGEST = _fact(
    "ORD-14",
    "instrument.max_quantity",
    "MAX_QUANTITY",
    "contracts beyond the instrument's largest order",
)
STATUS = _fact(
    "ORD-15",
    "instrument.status, account.state",
    "INSTRUMENT_STATUS",
    "whether instrument or account takes no such order",
)
REDUCE_ONLY = _fact(
    "ORD-16",
    "reduce_only",
    "REDUCE_ONLY",
    "contracts of a reduce-only order beyond what is held the other way",
)
SELF_MATCH = _fact(
    "ORD-17",
    "account.control_group",
    "SELF_MATCH",
    "contracts of our own resting orders that it would meet",
)

POSITION_VALUE = _limit("EXP-01", "position_value", "value of the position, numeraire")
GROSS_ACCOUNT = _limit("EXP-02", "gross_account", "gross value in the account, numeraire")
GROSS_OWNER = _limit("EXP-03", "gross_owner", "gross value of the owner, numeraire")
GROSS_VENUE = _limit("EXP-04", "gross_venue", "gross value at the venue, numeraire")
GROSS_PORTFOLIO = _limit("EXP-05", "gross_portfolio", "gross value of the book, numeraire")
NET_ACCOUNT = _limit("EXP-06", "net_account", "net exposure of the account, numeraire")
NET_OWNER = _limit("EXP-07", "net_owner", "net exposure of the owner, numeraire")
NET_VENUE = _limit("EXP-08", "net_venue", "net exposure at the venue, numeraire")
NET_PORTFOLIO = _limit("EXP-09", "net_portfolio", "net exposure of the book, numeraire")
LEVERAGE = _limit("EXP-10", "leverage", "gross value of the account over its equity")
LIQUIDATION = _limit(
    "EXP-11",
    "liquidation_distance",
    "relative price move that would liquidate the account",
    at_least=True,
)
TURNOVER_CYCLE = _limit("EXP-12", "turnover_cycle", "value traded in this cycle, numeraire")
TURNOVER_HOUR = _limit("EXP-13", "turnover_hour", "value traded in an hour, numeraire")
TURNOVER_DAY = _limit("EXP-14", "turnover_day", "value traded in a day, numeraire")
ACTIONS_CYCLE = _limit("EXP-15", "actions_cycle", "orders, moves and transfers sent in this cycle")
ACTIONS_HOUR = _limit("EXP-16", "actions_hour", "orders, moves and transfers sent in an hour")
ACTIONS_DAY = _limit("EXP-17", "actions_day", "orders, moves and transfers sent in a day")
DAILY_LOSS = Control(
    "EXP-18",
    "exposure",
    "daily_loss",
    "DAILY_LOSS",
    "equity lost since the day's first plan, without what was paid in or out, numeraire",
    latches=("global", Breaker.REDUCING),
)

ROUTE = _fact("TRF-01", "routes", "ROUTE_UNREGISTERED", "whether the route is not registered")
ROUTE_KIND = _fact("TRF-02", "route_kinds", "ROUTE_KIND", "whether its kind is not enabled")
TRANSFER_VALUE = _limit("TRF-03", "transfer_value", "value of one transfer, numeraire")
TRANSFER_DAY = _limit("TRF-04", "transfer_day", "value of all transfers in a day, numeraire")
RESERVE = _limit("TRF-05", "reserve", "equity that stays with the sender, numeraire", at_least=True)
MARGIN_RATIO = _limit(
    "TRF-06",
    "margin_ratio",
    "collateral over maintenance margin that stays with the sender",
    at_least=True,
)
MOVE_VALUE = _limit("TRF-07", "move_value", "value of one position move, numeraire")

SNAPSHOT_AGE = _limit(
    "DAT-01", "approval.max_age_s, gather.max_age_s", "age of the snapshot, seconds",
    code="SNAPSHOT_AGE",
)  # fmt: skip
MISSING = _limit("DAT-02", "missing_accounts", "accounts that the snapshot lacks")
EPOCH = _limit("DAT-03", "epoch_spread_s", "seconds between the first and the last reading")
SKEW = _limit("DAT-04", "clock_skew_s", "seconds between the venue's clock and ours")

BREAKER = _fact("SYS-01", "halt, resume", "BREAKER", "whether a breaker stands in the way")
FROZEN = _fact("SYS-02", "resolve", "FROZEN", "whether the account stands still, unexplained")
UNRESOLVED = _fact("SYS-03", "resolve", "UNRESOLVED", "requests whose end nobody knows")
APPROVAL = _fact(
    "SYS-04",
    "approval.auto_below, approval.second_above",
    "NOT_APPROVED",
    "people who still have to approve; never the proposer",
)
BOUND = _fact(
    "SYS-05", "plan_hash", "HASH_DIFFERS", "whether plan, snapshot or mandate is another one"
)
TRADABLE = _fact(
    "SYS-06", "mode, accounts.live", "NO_VENUE", "whether nothing that can trade was opened"
)
DEAD_MAN = _fact(
    "SYS-07", "dead_man_s", "DEAD_MAN", "whether the venue's own switch could not be set"
)
RELEASED = _fact("SYS-08", "mandate", "NOT_RELEASED", "rules that the verifier sees broken")

CONTROLS: tuple[Control, ...] = tuple(
    row for row in tuple(globals().values()) if isinstance(row, Control)
)
"""All of them, in order of their ids."""
