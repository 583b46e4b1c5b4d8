"""Bybit v5, unified account: one host, one envelope, one signing rule."""
