"""The rules by which a trade is spread over accounts, and how they are written down.

The first five are those of Interactive Brokers' adviser groups, with its figures in
`tests/presets`: https://interactivebrokers.github.io/tws-api/financial_advisor.html and the same
chapter of https://www.interactivebrokers.com/campus/ibkr-api-page/twsapi-doc/. MetaTrader's
multi-account managers know the same under other names (equal is "even", net liquidation
"proportional by equity", available equity "proportional by free margin"):
https://help.axi.com/hc/en-us/articles/49985948613017, https://docs.pamm.b2broker.com/en/mam-accounts.html.

What is equal or proportional is exposure in numeraire, so that accounts at different venues, whose
contracts differ in size, get shares that mean the same; among equal contracts it is contracts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, assert_never

from pydantic import Field, ValidationError, model_validator

from allocator.models.base import Name, NonNegative, Num, Value, exact, plain
from allocator.models.errors import InputError


class Equal(Value):
    """Give every account the same (IBKR EqualQuantity; MAM even)."""

    kind: Literal["equal"] = "equal"


class NetLiquidation(Value):
    """Give in proportion to equity (IBKR NetLiq; MAM proportional by equity)."""

    kind: Literal["net_liq"] = "net_liq"


class AvailableEquity(Value):
    """Give in proportion to free collateral (IBKR AvailableEquity; MAM free margin).

    IBKR's available equity is equity with loan value less initial margin; equity with loan value
    is what this book calls collateral. In single-asset mode it is that of the settle asset's pool.
    """

    kind: Literal["available_equity"] = "available_equity"


class PercentChange(Value):
    """Change every position by a percentage of itself (IBKR PctChange).

    A positive percentage lets positions grow, a negative one shrink; -100 closes them. As in
    IBKR's table only positions for which that is the way to the target are changed (buying:
    longs grow, shorts shrink), and accounts without a position get nothing. The book never trades
    beyond its target: where the changes together would, all are cut in proportion.

    Attributes
    ----------
    percent
        From -100; not zero.
    """

    kind: Literal["pct_change"] = "pct_change"
    percent: Num = Field(ge=-100)

    @model_validator(mode="after")
    def _changes(self) -> PercentChange:
        if not self.percent:
            raise ValueError("a change of 0 % changes nothing")
        return self


class Ratio(Value):
    """Give in proportion to chosen figures (IBKR Ratio and Percent; MAM percentage).

    Attributes
    ----------
    weights
        By account; one that is not named gets nothing.
    """

    kind: Literal["ratio"] = "ratio"
    weights: Mapping[Name, NonNegative]

    @model_validator(mode="after")
    def _weighs(self) -> Ratio:
        if not any(self.weights.values()):
            raise ValueError("a ratio needs a positive weight")
        return self


class Lots(Value):
    """Give each account a chosen number of lots of its instrument (IBKR ContractsOrShares).

    Where the book has less to trade than all the lots together they are cut in proportion, which
    is how multi-account managers read lots (MAM lot allocation). Never more than chosen: what an
    account cannot take is not given to another.

    Attributes
    ----------
    lots
        By account, for each underlying that is traded; one that is not named gets nothing.
    """

    kind: Literal["lots"] = "lots"
    lots: Mapping[Name, int]

    @model_validator(mode="after")
    def _trades(self) -> Lots:
        if any(count < 0 for count in self.lots.values()):
            raise ValueError("lots are not negative: the target says which way to trade")
        if not any(self.lots.values()):
            raise ValueError("at least one account needs a lot")
        return self


Rule = Equal | NetLiquidation | AvailableEquity | PercentChange | Ratio | Lots

KINDS: Mapping[str, type[Rule]] = {
    "equal": Equal,
    "net_liq": NetLiquidation,
    "available_equity": AvailableEquity,
    "pct_change": PercentChange,
    "ratio": Ratio,
    "lots": Lots,
}
"""The rules by the words that choose them."""

FORMS = (
    "equal, net_liq, available_equity, pct_change=PERCENT, "
    "ratio=ACCOUNT:WEIGHT,... or lots=ACCOUNT:COUNT,..."
)


def named_accounts(rule: Rule) -> frozenset[str]:
    """Name the accounts that a rule speaks of."""
    match rule:
        case Ratio():
            return frozenset(rule.weights)
        case Lots():
            return frozenset(rule.lots)
        case _:
            return frozenset()


def label(rule: Rule) -> str:
    """Write a rule as `parsed` reads it.

    >>> label(Ratio(weights={"b": Decimal("1.50"), "a": Decimal(2)}))
    'ratio=a:2,b:1.5'
    """
    match rule:
        case PercentChange():
            return f"{rule.kind}={plain(rule.percent)}"
        case Ratio():
            rows = (f"{name}:{plain(value)}" for name, value in sorted(rule.weights.items()))
            return f"{rule.kind}={','.join(rows)}"
        case Lots():
            named = (f"{name}:{count}" for name, count in sorted(rule.lots.items()))
            return f"{rule.kind}={','.join(named)}"
        case Equal() | NetLiquidation() | AvailableEquity():
            return rule.kind
        case _:
            assert_never(rule)


def parsed(text: str) -> Rule:
    """Read a rule from text such as ``ratio=a:2,b:1``.

    Raises
    ------
    InputError
        When the text is no rule; it says which there are.
    """
    word, given, rest = text.strip().partition("=")
    kind = KINDS.get(word.strip())
    if kind is None:
        raise InputError(f"no preset {word.strip()!r}: there are {FORMS}")
    takes_value = kind in (PercentChange, Ratio, Lots)
    if takes_value is not bool(given):
        fault = "needs a value" if takes_value else "takes no value"
        raise InputError(f"preset {word} {fault}: there are {FORMS}")
    try:
        return kind.model_validate(_fields(kind, rest))
    except ValidationError as error:
        rows = error.errors(include_url=False)
        faults = "; ".join(str(row["msg"]).removeprefix("Value error, ") for row in rows)
        raise InputError(f"preset {text!r}: {faults}") from error
    except ValueError as error:
        raise InputError(f"preset {text!r}: {error}") from error


def _fields(kind: type[Rule], rest: str) -> dict[str, object]:
    if kind is PercentChange:
        return {"percent": exact(rest.strip().removesuffix("%"))}
    if kind is Ratio:
        return {"weights": _by_account(rest)}
    if kind is Lots:
        return {"lots": {name: _count(value) for name, value in _by_account(rest).items()}}
    return {}


def _by_account(text: str) -> dict[str, Decimal]:
    """Read ``a:2,b:1``; the last colon of a part divides it."""
    out: dict[str, Decimal] = {}
    for part in text.split(","):
        name, _, value = part.strip().rpartition(":")
        if not name:
            raise ValueError(f"ACCOUNT:NUMBER is wanted, not {part.strip()!r}")
        if name in out:
            raise ValueError(f"account {name} is named twice")
        out[name] = exact(value)
    return out


def _count(value: Decimal) -> int:
    if value != value.to_integral_value():
        raise ValueError(f"lots are whole, not {plain(value)}")
    return int(value)
