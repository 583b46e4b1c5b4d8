"""Which actions are worth their fixed cost."""

from allocator.minimise.search import Candidate, Search, search, wish_of

__all__ = ["Candidate", "Search", "search", "wish_of"]
