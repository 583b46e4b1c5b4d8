"""Pages: tables and charts that a report is made of, as one HTML file or as Markdown.

The HTML file needs nothing beside itself: what draws it stands in it, and its content security
policy forbids it any address. Without scripts the tables remain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jinja2 import Template

Row = Sequence[str]
FIGURE: Final = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]\d+)?( ?%| USD|x)?")
"""What is set flush right in a table."""

WIDEST: Final = 32
"""Characters of the longest cell of a column that is set flush right."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a heading.

    Attributes
    ----------
    words
        A sentence above it; may be empty.
    """

    heading: str
    columns: Row
    rows: Sequence[Row]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture.

    Attributes
    ----------
    options
        What the chart library is given: plain JSON data.
    told
        What it shows, for those who do not see it.
    height
        Pixels.
    """

    heading: str
    options: dict[str, Any]
    told: str
    height: int = 320


@dataclass(frozen=True, slots=True)
class Page:
    """What a report says, the important thing first.

    Attributes
    ----------
    lead
        Sentences under the title.
    foot
        Lines at the end, such as hashes.
    """

    title: str
    lead: Sequence[str]
    parts: Sequence[Table | Chart]
    foot: Sequence[str] = field(default=())

    @property
    def tables(self) -> list[Table]:
        """The tables that have rows."""
        return [part for part in self.parts if isinstance(part, Table) and part.rows]


def markdown(page: Page) -> str:
    """Write a page as Markdown; charts are left out, for their figures stand in tables."""
    out = [f"# {page.title}", ""]
    for line in page.lead:
        out += [line, ""]
    for table in page.tables:
        out += [f"## {table.heading}", ""]
        out += [table.words, ""] if table.words else []
        out += [_line(table.columns), _line("-" for _ in table.columns)]
        out += [_line(row) for row in table.rows]
        out.append("")
    return "\n".join([*out, *(f"{line}  " for line in page.foot)]) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def html(page: Page) -> str:
    """Write a page as one HTML file."""
    blocks = _blocks(page)
    drawn = any(block.charts for block in blocks)
    library = _static("echarts.min.js") if drawn else ""
    return _template().render(page=page, blocks=blocks, echarts=library)


@dataclass(frozen=True, slots=True)
class _Block:
    """A table, or charts that stand side by side."""

    table: Table | None = None
    flush: Sequence[bool] = ()
    charts: Sequence[tuple[Chart, str]] = ()


def _blocks(page: Page) -> list[_Block]:
    out = list[_Block]()
    for drawn, parts in groupby(page.parts, lambda part: isinstance(part, Chart)):
        if drawn:
            charts = [(p, script_json(p.options)) for p in parts if isinstance(p, Chart)]
            out.append(_Block(charts=charts))
        else:
            out += [_Block(p, _flush(p)) for p in parts if isinstance(p, Table) and p.rows]
    return out


def json_text(data: object) -> str:
    """Write plain JSON data, indented."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def script_json(data: Any) -> str:
    """Write JSON that may stand inside a script element, whatever texts are in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _flush(table: Table) -> list[bool]:
    """Tell which columns hold figures: most of their cells, and not dashes only."""
    columns = zip(*table.rows, strict=True) if table.rows else ()
    return [_figures(column) for column in columns]


def _figures(column: Sequence[str]) -> bool:
    told = [cell for cell in column if cell not in ("", "-")]
    if any(len(cell) > WIDEST for cell in told):
        return False
    return 2 * sum(FIGURE.fullmatch(cell) is not None for cell in told) > len(told)


@cache
def _static(name: str) -> str:
    return files("allocator.whatif").joinpath("static", name).read_text("utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    text = files("allocator.whatif").joinpath("templates", "page.html.j2").read_text("utf-8")
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return made.from_string(text)
