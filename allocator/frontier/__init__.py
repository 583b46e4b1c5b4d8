"""How cost trades against the number of actions, and against tracking, as data."""

from allocator.frontier.curve import frontier
from allocator.frontier.limits import at_most, scaled
from allocator.frontier.points import ActionPoint, Along, Frontier, TrackingPoint
from allocator.frontier.runs import Decides, Makes, Watch

__all__ = [
    "ActionPoint",
    "Along",
    "Decides",
    "Frontier",
    "Makes",
    "TrackingPoint",
    "Watch",
    "at_most",
    "frontier",
    "scaled",
]
