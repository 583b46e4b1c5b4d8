"""Exact replay of a plan, and what a plan says of itself.

Shares nothing with the optimiser: it knows the Decimal law alone.
"""

from allocator.verify.blocks import PlanBlocks, Shortfall, plan_blocks, shortfall
from allocator.verify.orders import closes_whole, price_range
from allocator.verify.prefixes import Breach
from allocator.verify.replay import (
    account_violations,
    broken_prefixes,
    final_violations,
    first_broken_prefix,
    verify,
)
from allocator.verify.steps import Step, steps_of

__all__ = [
    "Breach",
    "PlanBlocks",
    "Shortfall",
    "Step",
    "account_violations",
    "broken_prefixes",
    "closes_whole",
    "final_violations",
    "first_broken_prefix",
    "plan_blocks",
    "price_range",
    "shortfall",
    "steps_of",
    "verify",
]
