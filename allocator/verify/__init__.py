"""Exact replay of a plan, and what a plan says of itself.

Shares nothing with the optimiser: it knows the Decimal law alone.
"""

from allocator.verify.blocks import PlanBlocks, Shortfall, plan_blocks, shortfall
from allocator.verify.faces import Changes, Curve, Face, Key, Rule
from allocator.verify.orders import closes_whole, price_range
from allocator.verify.prefixes import Breach, Ladder
from allocator.verify.replay import (
    account_violations,
    broken_prefixes,
    end_violations,
    final_violations,
    first_broken_prefix,
    step_rules,
    verify,
    violations,
)
from allocator.verify.steps import Index, Step, steps_of

__all__ = [
    "Breach",
    "Changes",
    "Curve",
    "Face",
    "Index",
    "Key",
    "Ladder",
    "PlanBlocks",
    "Rule",
    "Shortfall",
    "Step",
    "account_violations",
    "broken_prefixes",
    "closes_whole",
    "end_violations",
    "final_violations",
    "first_broken_prefix",
    "plan_blocks",
    "price_range",
    "shortfall",
    "step_rules",
    "steps_of",
    "verify",
    "violations",
]
