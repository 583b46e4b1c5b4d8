"""The outside world: exchanges through ccxt, the paper venue, the loopback exchanges."""

if __name__ != "allocator.adapters":
    raise ImportError("import allocator.adapters: this folder is not a top-level package")
