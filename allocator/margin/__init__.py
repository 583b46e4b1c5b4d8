"""Margin: collateral, requirements, stress, ratios and shortfall of one account at a time."""

from allocator.margin.brackets import Requirement, bracket_cap, breaks, cap_leverage, requirement
from allocator.margin.collateral import collateral, collateral_units, marginal_value
from allocator.margin.distances import liquidation_distances
from allocator.margin.pools import (
    contracts_carried,
    margin_ratio,
    pools,
    requirements,
    scenario_loss,
)
from allocator.margin.shortfall import Missing, margin_shortfalls
from allocator.margin.stress import (
    Response,
    Shocked,
    binding_stresses,
    response,
)

__all__ = [
    "Missing",
    "Requirement",
    "Response",
    "Shocked",
    "binding_stresses",
    "bracket_cap",
    "breaks",
    "cap_leverage",
    "collateral",
    "collateral_units",
    "contracts_carried",
    "liquidation_distances",
    "margin_ratio",
    "margin_shortfalls",
    "marginal_value",
    "pools",
    "requirement",
    "requirements",
    "response",
    "scenario_loss",
]
