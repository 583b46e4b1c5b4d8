"""Exact replay of a plan, and what a plan says of itself.

Shares nothing with the optimiser: it knows the Decimal law alone.
"""

from allocator.verify.blocks import PlanBlocks, Shortfall, plan_blocks, shortfall

__all__ = ["PlanBlocks", "Shortfall", "plan_blocks", "shortfall"]
