"""Every request the exchange received, on disk, in order."""

import sqlite3
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One request: where it was meant for, whose valid signature it bore, how it ended.

    `signed_by` is the API key whose signature was checked and right, empty otherwise; `code` the
    venue's own result code; `fault` what the fault seam did, empty when nothing.
    """

    time_ms: int
    host: str
    method: str
    path: str
    signed_by: str
    agent: str
    status: int
    code: str
    fault: str = ""


class RequestLog:
    """Appends to and reads from the store's `requests` table."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def append(self, request: Request) -> None:
        """Write one request."""
        self._connection.execute(
            "INSERT INTO requests (time_ms, host, method, path, signed_by, agent, status, code,"
            " fault) VALUES (:time_ms, :host, :method, :path, :signed_by, :agent, :status, :code,"
            " :fault)",
            asdict(request),
        )

    def read(self, after: int = 0) -> list[tuple[int, Request]]:
        """Return requests with their numbers, those after number `after`."""
        rows = self._connection.execute(
            "SELECT id, time_ms, host, method, path, signed_by, agent, status, code, fault "
            "FROM requests WHERE id > ? ORDER BY id",
            (after,),
        )
        return [(row[0], Request(*row[1:])) for row in rows]
