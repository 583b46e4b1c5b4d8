"""The HTTP API: who may do what, each acting request once, refusals as problem+json."""
