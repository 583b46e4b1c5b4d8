"""Why an alternative is ruled out, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

FIGURE = re.compile(r"(?<![\w.:/-])(-?)(\d+)(\.\d+)?(?![\w:/-])")
EXCEEDED: Mapping[str, str] = {
    "margin_initial": "{name} would miss {by} USD of initial margin",
    "margin_maintenance": "{name} would miss {by} USD of maintenance margin with its buffer",
    "margin_stress": "{name} would miss {by} USD of maintenance margin in stress {last}",
    "limit": "limit {name} would be exceeded by {by}",
    "bracket": "{name} would leave the largest bracket of its leverage by {by} USD",
    "balance": "the {last} wallet of {name} would be overdrawn by {by} {last}",
}
"""Words for rules on states, by code; `by` is in the rule's own unit, `last` ends the name."""

OF_PLANS: Mapping[str, str] = {
    "orders": "{by} orders",
    "turnover": "{by} USD of turnover",
    "transfer_out": "{by} USD sent",
}
"""What exceeds a limit on plans, by measure."""

WORDS: Mapping[str, str] = {
    "transfers_off": "transfers are off",
    "one_transfer": "one transfer a route",
    "withdrawable": "no more may leave",
    "route_disabled": "the route is disabled",
    "transfer_min": "below the route's minimum",
    "transfer_max": "above the route's maximum",
    "transfer_step": "not in the route's steps",
    "frozen": "frozen",
    "moves_off": "moves are off",
    "move": "no such move",
    "tradable": "not tradable",
    "halted": "halted",
    "lot": "not in whole lots",
    "max_quantity": "above the largest order",
    "min_notional": "below the smallest notional",
    "min_quantity": "below the smallest order",
    "limit_price": "no acceptable price",
    "reduce_only": "reduce only",
    "one_direction": "both sides of one instrument",
    "one_order": "one order a pair",
    "order_budget": "the order budget is used up",
}


def in_words(code: str, message: str) -> str:
    """Tell a violation to a person.

    >>> in_words("margin_initial", "bybit-a: exceeded by 31000.2500001")
    'bybit-a would miss 31,000.25 USD of initial margin'
    >>> in_words("balance", "bybit-a BTC: exceeded by 0.0078")
    'the BTC wallet of bybit-a would be overdrawn by 0.0078 BTC'
    >>> in_words("limit", "spare 8: transfer_out exceeded by 15000")
    'limit spare 8 would be exceeded by 15,000 USD sent'
    """
    name, found, by = message.rpartition(" exceeded by ")
    if found and code in EXCEEDED:
        return _exceeded(code, name.rstrip(":"), _rounded(by))
    message = message.replace(" becomes ", " would become ")
    facts = FIGURE.sub(lambda at: _rounded(at.group(0)), message)
    return f"{WORDS.get(code, code.replace('_', ' '))}: {facts}"


def _exceeded(code: str, name: str, by: str) -> str:
    last = ""
    if "{last}" in EXCEEDED[code]:
        name, _, last = name.rpartition(" ")
    limit, _, measure = name.rpartition(": ")
    if code == "limit" and measure in OF_PLANS:
        name, by = limit, OF_PLANS[measure].format(by=by)
    return EXCEEDED[code].format(name=name, by=by, last=last)


def _rounded(text: str) -> str:
    """Round to cents, or to two digits that say something, with separators."""
    value = Decimal(text)
    digits = 2 if abs(value) >= 1 or not value else min(10, max(2, 1 - value.adjusted()))
    told = f"{value:,.{digits}f}"
    return told if value != value.to_integral_value() else f"{value:,.0f}"
