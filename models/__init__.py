"""Values: frozen, typed, without I/O."""

if __name__ != "allocator.models":
    raise ImportError("import allocator.models: this folder is not a top-level package")
