"""Exposure of the whole book by underlying, and what is wanted of it."""

from allocator.exposure.aggregate import Goal, exposure_change, exposures, goals, present

__all__ = ["Goal", "exposure_change", "exposures", "goals", "present"]
