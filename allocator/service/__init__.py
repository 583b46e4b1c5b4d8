"""The process around the engine: bootstrap, cycles, the command line."""
