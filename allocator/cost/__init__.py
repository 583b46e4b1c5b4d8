"""The cost law of problem.md section 3, in its eight parts."""

from allocator.cost.law import cost, impact, outside_bands, variance

__all__ = ["cost", "impact", "outside_bands", "variance"]
