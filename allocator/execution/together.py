"""Asking several at once, none of which goes on by itself once one has failed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

Answer = TypeVar("Answer")


async def together(asked: Iterable[Coroutine[Any, Any, Answer]]) -> tuple[Answer, ...]:
    """Wait for all; the first that fails ends the others, and its error is raised as it is.

    Who asks knows errors by their type, and a group of them by none.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in asked]
    except BaseExceptionGroup as errors:
        failed = _first(errors)
    else:
        return tuple(task.result() for task in tasks)
    # Not while the group is handled, which would take the place of the error's own cause.
    raise failed


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
