"""Which actions are worth their fixed cost."""

from allocator.minimise.candidate import Candidate
from allocator.minimise.search import Search, search, wish_of

__all__ = ["Candidate", "Search", "search", "wish_of"]
