"""What an application serves: an instance, its views, tokens, replies and long work."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from allocator.models.api import JobView
from allocator.models.base import Value, json_value
from allocator.models.canonical import canonical_json
from allocator.models.errors import AllocatorError, RefusedError
from allocator.service.allowances import beyond
from allocator.service.http import writes
from allocator.service.http.few import Few
from allocator.service.http.once import Replies
from allocator.service.http.problems import ProblemError
from allocator.service.http.readiness import Readiness
from allocator.service.http.tokens import Tokens
from allocator.service.http.verification import Verification
from allocator.service.run import Service
from allocator.service.snapshots import MissingError
from allocator.service.views import Views

MOST_JOBS = 100
MOST_RESULTS = 20_000_000
"""Characters that what the jobs came to has together, as JSON; the oldest are forgotten first."""

WORKERS = 2

MOST_UNDER_WAY = 20
"""Long work that is done or waits for its turn; more is refused, and told when to ask again."""

AGAIN_S = 10

log = logging.getLogger(__name__)

Watch = Callable[[int, int | None], None]
"""Is told how much of a job is done, and of how much."""


class Jobs:
    """Long work beside requests; what is under way and the latest of the rest are kept."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="job")
        self._jobs = OrderedDict[str, JobView]()
        self._lengths = dict[str, int]()
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def start(self, kind: str, work: Callable[[Watch], Value]) -> JobView:
        """Begin something; what it comes to is asked for later.

        Raises
        ------
        ProblemError
            429 where too much is under way already.
        """
        job = JobView(id=secrets.token_hex(8), kind=kind, status="running")
        with self._lock:
            if sum(row.status == "running" for row in self._jobs.values()) >= MOST_UNDER_WAY:
                detail = f"TOO_MANY_JOBS: {MOST_UNDER_WAY} are under way; ask again later"
                headers = {"Retry-After": str(AGAIN_S)}
                raise ProblemError(429, "TOO_MANY_JOBS", detail, headers)
            self._jobs[job.id] = job

        def watch(done: int, expected: int | None) -> None:
            if self._closed.is_set():
                raise RefusedError("STOPPING: the service ends, and its long work with it")
            self._put(job.model_copy(update={"done": done, "expected": expected}))

        def run() -> None:
            length = 0
            try:
                result = json_value(work(watch))
                length = len(canonical_json(result))
                ended = {"status": "done", "result": result}
            except AllocatorError as error:
                ended = {"status": "failed", "detail": str(error)}
            except Exception as error:
                log.exception("job failed")
                ended = {"status": "failed", "detail": f"INTERNAL: {type(error).__name__}"}
            self._put(job.model_copy(update=ended), length)

        self._pool.submit(run)
        return job

    def get(self, name: str) -> JobView:
        """Tell how a job stands.

        Raises
        ------
        MissingError
            When there is none of that name, or it is too old.
        """
        found = self._jobs.get(name)
        if found is None:
            raise MissingError(f"NO_JOB: id={name}")
        return found

    def all(self) -> tuple[JobView, ...]:
        """List what is kept, the latest first, without what it came to."""
        with self._lock:
            rows = [job.model_copy(update={"result": None}) for job in self._jobs.values()]
        return tuple(reversed(rows))

    def close(self) -> None:
        """Begin nothing more, break off what runs at its next step, and wait for its end."""
        self._closed.set()
        self._pool.shutdown(cancel_futures=True)

    def _put(self, job: JobView, length: int = 0) -> None:
        with self._lock:
            self._jobs[job.id] = job
            self._lengths[job.id] = length
            ended = [row.id for row in self._jobs.values() if row.status != "running"]
            under_way = len(self._jobs) - len(ended)
            # Of what is too long together the one that ended just now is told all the same.
            latest = [(name, self._lengths[name]) for name in reversed(ended) if name != job.id]
            most = MOST_JOBS - under_way - (job.status != "running")
            for name in beyond(latest, most, MOST_RESULTS - length):
                del self._jobs[name], self._lengths[name]


class Site:
    """Everything that routes work with."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.views = Views(service)
        self.tokens = Tokens(service.engine, service.portfolio)
        self.replies = Replies(service.engine, service.config.service.keep)
        writes.watch(service.engine)
        self.jobs = Jobs()
        self.few = Few()
        self.readiness = Readiness(self.views.health)
        self.verification = Verification(self.views.audit_check)

    def plain(self) -> dict[str, Any]:
        """Tell what every page says of the instance."""
        service = self.service
        return {
            "portfolio": service.portfolio,
            "mode": service.config.mode,
            "leads": service.live.leads,
            "busy": service.live.busy,
        }
