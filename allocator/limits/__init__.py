"""Limits: measures over scopes, and by how much they are exceeded."""

from allocator.limits.measures import (
    Counting,
    accounts_of,
    band_of,
    excesses,
    plan_excess,
    scope_equity,
    selects,
    state_excess,
    weight,
)
from allocator.limits.shortfall import limit_shortfalls

__all__ = [
    "Counting",
    "accounts_of",
    "band_of",
    "excesses",
    "limit_shortfalls",
    "plan_excess",
    "scope_equity",
    "selects",
    "state_excess",
    "weight",
]
