"""Measurements: how fast and how good the decision is, and against what."""
