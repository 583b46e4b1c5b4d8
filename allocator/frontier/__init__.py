"""How cost trades against the number of actions, tracking, and the margin buffer, as data."""

from allocator.frontier.curve import frontier
from allocator.frontier.limits import at_most, buffered, scaled
from allocator.frontier.points import ActionPoint, BufferPoint, Frontier, TrackingPoint
from allocator.frontier.runs import Decides, Makes, Watch
from allocator.models.scenario import Along

__all__ = [
    "ActionPoint",
    "Along",
    "BufferPoint",
    "Decides",
    "Frontier",
    "Makes",
    "TrackingPoint",
    "Watch",
    "at_most",
    "buffered",
    "frontier",
    "scaled",
]
