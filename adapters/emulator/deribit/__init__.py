"""Deribit v2 over HTTP: options, inverse and linear perpetuals and futures, cross collateral."""
