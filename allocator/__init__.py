"""Runs many crypto-derivatives accounts as one book."""

__version__ = "0.1.0"
