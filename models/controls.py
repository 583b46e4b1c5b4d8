"""Limits of the pre-trade controls and of approvals. An unset limit blocks.

Each field is the config key of a control in `allocator.risk.table`, which tells its id, its
code and what is measured; `docs/controls.md` lists them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from allocator.models.base import ZERO, NonNegative, Positive, Value, plain
from allocator.models.snapshot import RouteKind

Limit = NonNegative | None


class ApprovalConfig(Value):
    """Who has to let a plan go, and for how long that holds.

    Attributes
    ----------
    auto_below
        Turnover in numeraire up to which a plan that leaves nothing broken needs nobody;
        None: every plan needs somebody.
    second_above
        Turnover in numeraire above which two people are needed; None: every plan that needs
        anybody needs two.
    four_eyes
        Whether somebody other than its author has to publish a mandate.
    max_age_s
        Seconds after its snapshot's time at which a plan can no longer be approved or begun.
    """

    auto_below: Limit = None
    second_above: Limit = None
    four_eyes: bool = True
    max_age_s: Positive = Decimal(300)

    @model_validator(mode="after")
    def _contradicts_nothing(self) -> Self:
        auto, second = self.auto_below, self.second_above
        if auto is not None and auto > (ZERO if second is None else second):
            told = "is not set" if second is None else f"is {plain(second)}"
            raise ValueError(
                f"auto_below, {plain(auto)}, lets plans go by themselves for which two people are "
                f"needed: second_above {told}; lower the one or raise the other"
            )
        return self


class ControlsConfig(Value):
    """The limits that every request is held against before it is sent.

    Money is in numeraire; None blocks whatever the control measures.

    Attributes
    ----------
    order_units
        Most units of an underlying in one order, by underlying.
    order_value
        Most value of one order.
    collar_bps
        Most by which a price may be worse than a fresh mark, basis points.
    window_collar_bps, window_s
        Most by which a price may be worse than the best mark of the last `window_s` seconds.
    reference_age_s
        Oldest quote that a price is held against, seconds.
    duplicate_window_s
        Least seconds between two equal orders of different actions.
    repeats, repeat_window_s
        Most orders for one side of one instrument in one account within the window. What follows
        of an order that was begun waits for room; the first request of another one that finds
        none halts the account.
    messages_account, messages_login, messages_owner, message_window_s
        Most requests that change something within the window. Cancels and the dead man's switch
        count, and are never held back themselves.
    position_value
        Most value of one position with its working orders.
    gross_account, gross_owner, gross_venue, gross_portfolio
        Most value of all positions, longs and shorts added, with working orders.
    net_account, net_owner, net_venue, net_portfolio
        Most value of the exposure to one underlying, longs and shorts netted, with working orders.
    leverage
        Most gross value of an account over its equity.
    liquidation_distance
        Least relative price move that would liquidate an account.
    turnover_cycle, turnover_hour, turnover_day
        Most value of orders and moves.
    actions_cycle, actions_hour, actions_day
        Most orders, moves and transfers sent: every slice and every try counts, cancels do not. A
        plan is not begun whose slices need more than a cycle may send, unless it only reduces:
        then it goes as far as it may.
    daily_loss
        Most loss of equity since the day's first plan, UTC; beyond it only reductions pass, until
        somebody resumes. While an account is not read, nobody can say: only reductions pass, and
        nothing latches.
    transfer_value, transfer_day
        Most value of one transfer, and of all within a day.
    reserve
        Least equity that a transfer leaves in the account that sends it.
    margin_ratio
        Least collateral over maintenance margin that a transfer leaves.
    route_kinds
        Kinds of routes that may be used; withdrawals to addresses are ``onchain``.
    move_value
        Most value of one position move.
    missing_accounts
        Most accounts that a snapshot may lack in a plan that does more than reduce. However many
        it may lack, such a plan needs a loss that is known, and so all of them.
    epoch_spread_s
        Most seconds between the first and the last account's reading.
    clock_skew_s
        Most seconds between a venue's clock and ours.
    dead_man_s
        Seconds of silence after which venues that can are to cancel every order; None: they
        are not told to.
    """

    order_units: Mapping[str, Positive] = Field(default_factory=dict[str, Decimal])
    order_value: Limit = None
    collar_bps: Limit = None
    window_collar_bps: Limit = None
    window_s: Positive = Decimal(300)
    reference_age_s: Limit = None
    duplicate_window_s: Limit = None
    repeats: Limit = None
    repeat_window_s: Positive = Decimal(60)
    messages_account: Limit = None
    messages_login: Limit = None
    messages_owner: Limit = None
    message_window_s: Positive = Decimal(1)
    position_value: Limit = None
    gross_account: Limit = None
    gross_owner: Limit = None
    gross_venue: Limit = None
    gross_portfolio: Limit = None
    net_account: Limit = None
    net_owner: Limit = None
    net_venue: Limit = None
    net_portfolio: Limit = None
    leverage: Limit = None
    liquidation_distance: Limit = None
    turnover_cycle: Limit = None
    turnover_hour: Limit = None
    turnover_day: Limit = None
    actions_cycle: Limit = None
    actions_hour: Limit = None
    actions_day: Limit = None
    daily_loss: Limit = None
    transfer_value: Limit = None
    transfer_day: Limit = None
    reserve: Limit = None
    margin_ratio: Limit = None
    route_kinds: tuple[RouteKind, ...] = ("internal",)
    move_value: Limit = None
    missing_accounts: Limit = ZERO
    epoch_spread_s: Limit = None
    clock_skew_s: Limit = Decimal(1)
    dead_man_s: Positive | None = None
