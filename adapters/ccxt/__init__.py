"""Venues through ccxt: the only package that speaks it."""
