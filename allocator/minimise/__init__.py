"""Which actions are worth their fixed cost."""

from allocator.minimise.candidate import Candidate
from allocator.minimise.search import Search, search
from allocator.minimise.wishes import wish_of

__all__ = ["Candidate", "Search", "search", "wish_of"]
