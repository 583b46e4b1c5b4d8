"""Limits: measures over scopes, and by how much they are exceeded."""

from allocator.limits.measures import (
    Bound,
    Counting,
    Meter,
    accounts_of,
    is_of_plan,
    plan_excess,
    selects,
    weight,
)
from allocator.limits.shortfall import limit_shortfalls, meters_of

__all__ = [
    "Bound",
    "Counting",
    "Meter",
    "accounts_of",
    "is_of_plan",
    "limit_shortfalls",
    "meters_of",
    "plan_excess",
    "selects",
    "weight",
]
