"""Where the time of a decision goes: functions by stage, timed without those they call."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from time import perf_counter
from typing import Any, Final

STAGES: Final[dict[str, tuple[str, ...]]] = {
    "check": ("allocator.models.refusals:book_problems",),
    "cross": ("allocator.program.crossing:arrays_of", "allocator.state.book:Book.of"),
    "build": ("allocator.program.build:build",),
    "solve": ("allocator.program.solve:solve",),
    "exact": ("allocator.minimise.exact:exact",),
    "minimise": ("allocator.minimise.search:search",),
    "lots": ("allocator.minimise.choose:choose", "allocator.plan.lots_search:mended"),
    "sequence": ("allocator.plan.sequence:sequenced",),
    "write": ("allocator.plan.write:written",),
    "verify": ("allocator.verify.replay:verify", "allocator.plan.write:released"),
}
"""Functions whose time counts for a stage, less the time of stages inside; absent ones do not."""


class Stages:
    """Times stages while it is entered.

    Attributes
    ----------
    seconds
        By stage, without stages inside.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.inside: list[float] = []
        self.replaced: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> Stages:
        for stage, names in STAGES.items():
            for name in names:
                self._watch(stage, name)
        return self

    def __exit__(self, *_: object) -> None:
        for holder, name, original in reversed(self.replaced):
            setattr(holder, name, original)

    def _watch(self, stage: str, name: str) -> None:
        path, _, dotted = name.partition(":")
        owner, _, attribute = dotted.rpartition(".")
        module = import_module(path) and sys.modules[path]
        holder = getattr(module, owner) if owner else module
        original = holder.__dict__.get(attribute)
        if original is None:
            return
        timed = self._timed(stage, getattr(holder, attribute))
        if owner:
            self._replace(holder, attribute, original, staticmethod(timed))
            return
        for other in list(sys.modules.values()):
            inside = getattr(other, "__name__", "").startswith("allocator")
            if inside and vars(other).get(attribute) is original:
                self._replace(other, attribute, original, timed)

    def _replace(self, holder: Any, name: str, original: Any, new: Any) -> None:
        self.replaced.append((holder, name, original))
        setattr(holder, name, new)

    def _timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.inside.append(0.0)
            start = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent = perf_counter() - start
                own = spent - self.inside.pop()
                self.seconds[stage] = self.seconds.get(stage, 0.0) + own
                if self.inside:
                    self.inside[-1] += spent

        return timed
