"""The endpoint x case table, as data: what the emulator answers, and everything it answers with."""

from collections.abc import Iterable

from allocator.adapters.emulator.wire import Endpoint

HEADER: tuple[str, ...] = ("| host | method | path | access | cases | page |\n|-|-|-|-|-|-|",)


def rows(endpoints: Iterable[Endpoint]) -> dict[tuple[str, str, str], Endpoint]:
    """Return endpoints by (host, method, path).

    Raises
    ------
    ValueError
        When two rows claim the same path, or one names no case.
    """
    found: dict[tuple[str, str, str], Endpoint] = {}
    for endpoint in endpoints:
        key = (endpoint.host, endpoint.method, endpoint.path)
        if key in found:
            raise ValueError(f"two handlers for {key}")
        if not endpoint.cases:
            raise ValueError(f"no case for {key}")
        found[key] = endpoint
    return found


def markdown(endpoints: Iterable[Endpoint]) -> str:
    """Return the table as Markdown, sorted by host and path."""
    lines = list(HEADER)
    for (host, method, path), row in sorted(rows(endpoints).items()):
        cases = "<br>".join(row.cases)
        lines.append(f"| {host} | {method} | {path} | {row.access} | {cases} | {row.page} |")
    return "\n".join(lines) + "\n"
