"""The HTTP API as typed calls.

>>> from allocator.client import Client                       # doctest: +SKIP
>>> with Client("http://127.0.0.1:8400", token) as desk:      # doctest: +SKIP
...     plan = desk.plans()[0]
...     desk.approve(plan.plan_hash, "within limits")
...     desk.execute(plan.plan_hash)

Every request that acts carries an idempotency key. A call that got no answer is sent again under
the same key, so that it acts once; a call that was refused is never repeated.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx2
from pydantic import TypeAdapter, ValidationError

from allocator.models import api, bodies
from allocator.models.base import json_value, stamp
from allocator.models.errors import AllocatorError, ConfigError, StaleError
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.scenario import Along
from allocator.models.snapshot import Snapshot

T = TypeVar("T")
Group = Literal["account", "owner", "venue", "book"]
TRIES = 3

TOKEN = re.compile(r"[!-~]+")
"""How a token is written: anything else would stand in a header's refusal, and so in logs."""


class ApiError(AllocatorError):
    """The service refused, as problem+json.

    Attributes
    ----------
    problem
        What it said.
    again_s
        Seconds after which the same may be asked again; None: it said nothing of that.
    """

    code = "API"

    def __init__(self, problem: api.ProblemDetails, again_s: int | None = None) -> None:
        self.problem, self.again_s = problem, again_s
        code = problem.code or problem.title
        told = problem.detail.removeprefix(f"{code}: ")
        where = [f"{row.path}: {row.what}" for row in problem.faults]
        super().__init__(": ".join(filter(None, (code, told, "; ".join(where)))))


class Client:
    """Calls one service.

    Parameters
    ----------
    url
        Scheme, host and port.
    token
        A token of `allocator token make`; spaces and ends of lines around it do not count.
    transport
        How requests go out; None: over the network.

    Raises
    ------
    ConfigError
        When the token is none.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        token = token.strip()
        if not TOKEN.fullmatch(token):
            raise ConfigError("the token is none: one line as `allocator token make` printed it")
        self._http = httpx2.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # The book

    def book(self) -> api.BookView:
        """Read the whole book as it was last marked."""
        return self._get("/v1/book", api.BookView)

    def accounts(self) -> tuple[api.AccountView, ...]:
        """List accounts."""
        return self._get("/v1/accounts", tuple[api.AccountView, ...])

    def profit(
        self, by: Group = "account", since: datetime | None = None, until: datetime | None = None
    ) -> tuple[api.ProfitView, ...]:
        """Add up what was earned in (since, until], by default of the last day."""
        return self._get("/v1/profit", tuple[api.ProfitView, ...], by=by, since=since, until=until)

    def equity(
        self, by: Group = "book", since: datetime | None = None, until: datetime | None = None
    ) -> tuple[api.EquityView, ...]:
        """Follow equity over (since, until], by default of the last day."""
        return self._get("/v1/equity", tuple[api.EquityView, ...], by=by, since=since, until=until)

    def snapshots(self) -> tuple[api.SnapshotView, ...]:
        """List stored snapshots, the latest first."""
        return self._get("/v1/snapshots", tuple[api.SnapshotView, ...])

    def snapshot(self, snapshot_hash: str) -> Snapshot:
        """Read a stored snapshot."""
        return self._get(f"/v1/snapshots/{snapshot_hash}", Snapshot)

    def post_snapshot(self, snapshot: Snapshot, *, key: str | None = None) -> api.SnapshotView:
        """Store a snapshot to plan on."""
        return self._post("/v1/snapshots", json_value(snapshot), api.SnapshotView, key)

    # Plans

    def plans(self, limit: int = 20) -> tuple[api.PlanSummary, ...]:
        """List proposed plans, the latest first."""
        return self._get("/v1/plans", tuple[api.PlanSummary, ...], limit=limit)

    def plan(self, plan_hash: str) -> api.PlanView:
        """Read a proposed plan."""
        return self._get(f"/v1/plans/{plan_hash}", api.PlanView)

    def explain(self, plan_hash: str) -> str:
        """Read a plan in plain words."""
        return self._send("GET", f"/v1/plans/{plan_hash}/explain").text

    def diff(self, plan_hash: str, other: str) -> api.Difference:
        """Compare another plan, the earlier one, with this one."""
        return self._get(f"/v1/plans/{plan_hash}/diff", api.Difference, other=other)

    def decide(self, asked: bodies.PlanRequest | None = None, *, key: str | None = None) -> Plan:
        """Decide: by default on what was last gathered, under the published mandate."""
        body = json_value(asked or bodies.PlanRequest())
        return self._post("/v1/plans", body, Plan, key)

    def approve(self, plan_hash: str, reason: str, *, key: str | None = None) -> api.PlanSummary:
        """Approve a plan."""
        path = f"/v1/plans/{plan_hash}/approve"
        return self._post(path, {"reason": reason}, api.PlanSummary, key)

    def reject(self, plan_hash: str, reason: str, *, key: str | None = None) -> api.PlanSummary:
        """Reject a plan for good."""
        path = f"/v1/plans/{plan_hash}/reject"
        return self._post(path, {"reason": reason}, api.PlanSummary, key)

    def retract(
        self, plan_hash: str, reason: str = "", *, key: str | None = None
    ) -> api.PlanSummary:
        """Take your approval of a plan back, until it is begun."""
        path = f"/v1/plans/{plan_hash}/retract"
        return self._post(path, {"reason": reason}, api.PlanSummary, key)

    def execute(self, plan_hash: str, *, key: str | None = None) -> api.SlotView:
        """Ask for a plan to be carried out."""
        return self._post(f"/v1/plans/{plan_hash}/execute", None, api.SlotView, key)

    def execution(self, plan_hash: str) -> api.ExecutionView:
        """Read how a plan is being carried out, or was."""
        return self._get(f"/v1/executions/{plan_hash}", api.ExecutionView)

    def cancel(self, plan_hash: str, *, key: str | None = None) -> api.SlotView:
        """Call back an execution that has not begun."""
        return self._post(f"/v1/executions/{plan_hash}/cancel", None, api.SlotView, key)

    def frontier(
        self,
        plan_hash: str,
        along: Along = "actions",
        points: int = 11,
    ) -> api.JobView:
        """Begin to compute a frontier; `job` tells what came of it."""
        path = f"/v1/plans/{plan_hash}/frontier?along={along}&points={points}"
        return self._post(path, None, api.JobView, None)

    def what_if(self, *cases: bodies.Case, key: str | None = None) -> api.JobView:
        """Begin to decide cases beside the book; `job` tells what came of it."""
        body = json_value(bodies.WhatIfRequest(cases=cases))
        return self._post("/v1/what-if", body, api.JobView, key)

    def sweep(
        self, grid: Mapping[str, list[Any]], *, key: str | None = None, **more: Any
    ) -> api.JobView:
        """Begin to decide every point of a grid; `job` tells what came of it.

        Parameters
        ----------
        more
            What `bodies.SweepRequest` takes beside the grid: ``shock``, ``override``, ``depth``.
        """
        return self._post("/v1/sweeps", {"grid": dict(grid), **more}, api.JobView, key)

    def jobs(self) -> tuple[api.JobView, ...]:
        """List long work without its results, the latest first."""
        return self._get("/v1/jobs", tuple[api.JobView, ...])

    def job(self, name: str) -> api.JobView:
        """Read how long work stands."""
        return self._get(f"/v1/jobs/{name}", api.JobView)

    # The service

    def slots(self, limit: int = 50) -> tuple[api.SlotView, ...]:
        """List what was and is to be done, the latest first."""
        return self._get("/v1/slots", tuple[api.SlotView, ...], limit=limit)

    def schedules(self) -> tuple[api.ScheduleView, ...]:
        """List schedules."""
        return self._get("/v1/schedules", tuple[api.ScheduleView, ...])

    def run(self, schedule: str, *, key: str | None = None) -> api.SlotView:
        """Ask for a cycle now."""
        return self._post(f"/v1/schedules/{schedule}/run", None, api.SlotView, key)

    def pause(self, schedule: str, reason: str) -> tuple[api.ScheduleView, ...]:
        """Let a schedule rest."""
        path = f"/v1/schedules/{schedule}/pause"
        return self._post(path, {"reason": reason}, tuple[api.ScheduleView, ...], None)

    def unpause(self, schedule: str) -> tuple[api.ScheduleView, ...]:
        """Let a paused schedule go on."""
        path = f"/v1/schedules/{schedule}/resume"
        return self._post(path, None, tuple[api.ScheduleView, ...], None)

    def halt(
        self, reason: str, scope: str = "global", state: Literal["halted", "reducing"] = "halted"
    ) -> tuple[api.BreakerView, ...]:
        """Stop everything, a venue or an account."""
        body = {"scope": scope, "state": state, "reason": reason}
        return self._post("/v1/halt", body, tuple[api.BreakerView, ...], None)

    def resume(self, reason: str, scope: str = "global") -> tuple[api.BreakerView, ...]:
        """Let what was halted act again."""
        body = {"scope": scope, "reason": reason}
        return self._post("/v1/resume", body, tuple[api.BreakerView, ...], None)

    def mandates(self, limit: int = 50) -> tuple[api.MandateView, ...]:
        """List versions of the mandate, the latest first."""
        return self._get("/v1/mandates", tuple[api.MandateView, ...], limit=limit)

    def draft(self, mandate: Mandate, note: str = "") -> api.MandateView:
        """Write a draft of the mandate down."""
        body = {"mandate": json_value(mandate), "note": note}
        return self._post("/v1/mandates", body, api.MandateView, None)

    def publish(self, version: int, seen: bodies.Publication | None = None) -> api.MandateView:
        """Let a draft hold from the next cycle on; the one that was seen, where that is told."""
        body = None if seen is None else json_value(seen)
        return self._post(f"/v1/mandates/{version}/publish", body, api.MandateView, None)

    def audit(self, after: int = 0, limit: int = 200) -> tuple[api.EventView, ...]:
        """List lines of the audit in order, after a number."""
        return self._get("/v1/audit", tuple[api.EventView, ...], after=after, limit=limit)

    def verify(self) -> api.AuditCheck:
        """Check that nobody rewrote the audit."""
        return self._get("/v1/audit/verify", api.AuditCheck)

    def ready(self) -> api.Health:
        """Tell whether the instance is of use."""
        with self._answering():
            response = self._http.get("/readyz")
        return _read(response, api.Health)

    def events(
        self, after: int | None = None, for_s: float | None = None
    ) -> Iterator[tuple[str, Any]]:
        """Follow the audit and executions: pairs of kind and data, as they happen.

        Raises
        ------
        ApiError
            When the service refuses.
        StaleError
            When it does not answer, or breaks off.
        """
        import json

        query = {"after": after, "for_s": for_s}
        params = {key: value for key, value in query.items() if value is not None}
        with (
            self._answering(),
            self._http.stream("GET", "/v1/events", params=params) as response,
        ):
            if response.is_error:
                response.read()
                raise _error(response)
            kind = ""
            for line in response.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield kind, json.loads(line.removeprefix("data: "))

    # How it is sent

    def _get(self, path: str, kind: type[T], **query: Any) -> T:
        params = {
            key: stamp(value) if isinstance(value, datetime) else value
            for key, value in query.items()
            if value is not None
        }
        return _read(self._send("GET", path, params=params or None), kind)

    def _post(self, path: str, body: Any, kind: type[T], key: str | None) -> T:
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        return _read(self._send("POST", path, json=body, headers=headers), kind)

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send, again under the same key where no answer came.

        Raises
        ------
        ApiError
            When the service refuses.
        StaleError
            When it does not answer.
        """
        for left in reversed(range(TRIES)):
            try:
                with self._answering():
                    response = self._http.request(
                        method, path, params=params, json=json, headers=headers
                    )
            except StaleError:
                if not left:
                    raise
                continue
            if response.is_error:
                raise _error(response)
            return response
        raise AssertionError  # the loop always returns or raises

    @contextmanager
    def _answering(self) -> Generator[None]:
        """Tell that no answer came."""
        try:
            yield
        except httpx2.TransportError as error:
            where = _shown(self._http.base_url)
            raise StaleError(f"{where} does not answer: {error}") from error


def _shown(url: httpx2.URL) -> str:
    """Write an address without who asks and by which password."""
    return str(url.copy_with(username="", password=""))


def _read(response: httpx2.Response, kind: type[T]) -> T:
    try:
        return TypeAdapter(kind).validate_json(response.content)
    except ValidationError as error:
        where = _shown(response.url)
        raise StaleError(f"{where}: not the answer of this release: {error}") from error


def _error(response: httpx2.Response) -> ApiError:
    try:
        problem = api.ProblemDetails.model_validate_json(response.content)
    except ValidationError:
        title = response.reason_phrase or "error"
        problem = api.ProblemDetails(title=title, status=response.status_code)
    again = response.headers.get("Retry-After", "")
    return ApiError(problem, int(again) if again.isdecimal() else None)
