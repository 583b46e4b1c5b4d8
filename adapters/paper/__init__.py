"""An in-memory exchange over a snapshot: fills, transfers, moves, and faults on request.

`open_paper(snapshot, clock)` returns the exchange, its market data and a venue an account.
"""

from allocator.adapters.paper.exchange import Behaviour, PaperExchange
from allocator.adapters.paper.faults import Fault
from allocator.adapters.paper.venue import PaperMarket, PaperVenue, open_paper

__all__ = ["Behaviour", "Fault", "PaperExchange", "PaperMarket", "PaperVenue", "open_paper"]
