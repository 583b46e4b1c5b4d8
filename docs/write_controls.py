"""Writes controls.md: every pre-trade control, from the table that the executor goes by.

Run from the root of the tree: ``make controls``.
"""

from __future__ import annotations

from pathlib import Path

from allocator.models.controls import ControlsConfig
from allocator.risk.control import Control
from allocator.risk.table import CONTROLS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "controls.md"
HEAD = """\
# What stands between a plan and the market

Every request is held against every control below before it is written down or sent. A control
that says no blocks the request, the refusal is in the audit with the control's id and code, an
alert is left, and the rest of the plan is given up. This page is written by `make controls` from
the table in `allocator/risk/table.py`; a test keeps it true.

How to read it:

- **Limit** is the key below `controls:` of the [configuration](configuration.md#controls). A limit
  that is not set blocks. Where what stands there is in *italics*, there is no limit to choose: what
  is measured is a fact of the instrument, the account or the plan, by the keys or commands that are
  named, and any breach blocks.
- What is not known blocks as well, and so does what is no number, before anything is compared.
- **Bound**: `most` and `least` let the limit itself through.
- **Mends**: what makes a figure no worse passes though its limit is broken, so that a book can be
  mended. Only where it says so.
- **Latches**: a refusal trips a breaker, which stays until a person resumes with a reason. A figure
  that is only unknown blocks and trips nothing.
- **Repeats** (ORD-07) are there against a runaway. What follows of an order that was begun, its
  slices and its tries alike, is held back until the window has room; the first request of another
  order that finds none is refused, and its account halted.
- **Requests** (ORD-08 to ORD-10) are held back until the window has room. Cancels and the
  venues' dead man's switches count among them, and are themselves never held back nor refused.
- **Counts per cycle, hour and day** (EXP-15 to EXP-17) are of what was sent: every slice and every
  try, not the lines of a plan, and no cancels. A plan is not begun whose slices alone need more
  than its cycle may send: raise the mandate's `max_slice` or `actions_cycle`; tries beyond that may
  still end it half way, inside its corridor. One that only reduces is begun, and goes as far as
  its cycle may; the next cycle goes on.
- **Loss** (EXP-18) is of equity that was read. While an account is not read, because its venue does
  not answer or because something in it has no fresh price, nobody can say what the book is worth,
  whether or not the account stands still already. Nothing latches, and plans go of which every
  action is one that a breaker at `reducing` lets through, in accounts that were read; every other
  plan is refused, and told which accounts were not read.
- **Missing accounts** (DAT-02) stand in the way of the same plans and excuse the same ones. A limit
  above zero does not let others go: their loss is not known. An account that was read counts as
  read whether it is empty, not live or stands still.

A breaker stands at `active`, `reducing` (orders that only reduce, and money inside a venue) or
`halted` (nothing), for everything, one venue or one account; the strictest that covers an account
holds. `allocator halt` trips one, `allocator resume` resets it.
"""
TITLES = {
    "order": "Orders",
    "exposure": "Exposure, turnover and loss",
    "transfer": "Transfers and position moves",
    "data": "Data",
    "system": "System",
}
LOTS = "no command takes an order, and plans are made in the instrument's steps"
NOT_BY_COMMAND = {
    "ORD-11": LOTS,
    "ORD-12": LOTS,
    "ORD-13": LOTS,
    "ORD-14": LOTS,
    "ORD-15": "a plan holds no order that its snapshot's instrument does not take",
    "ORD-16": "no command takes an order, and plans close no more than is held",
    "ORD-17": "`execute` leaves nothing in the market, and plans cross no order that stands there",
    "TRF-01": "no command takes a transfer, and plans go by registered routes",
    "SYS-02": "an account stands still once a request's end is unknown: a venue has to fall silent",
    "SYS-03": "`execute` settles what an earlier run left before anything else",
    "SYS-05": "a stored plan that was changed is refused as it is read, before this control",
    "SYS-06": "`execute` opens every account of the configuration that the plan was made from",
    "SYS-07": "the switch of a venue has to fail while an order rests",
    "SYS-08": "a plan that the verifier holds back is stored by no command",
}
"""Controls that nothing typed can reach, by id, and why; the executor's own tests refuse them."""
MENDS = {f"EXP-{number:02}" for number in range(1, 12)}


def page() -> str:
    """Write the page's text."""
    out = [HEAD]
    for group, title in TITLES.items():
        out.append(f"## {title}\n")
        out.append("| id | limit | bound | code | what is measured | |\n|-|-|-|-|-|-|")
        out.extend(_row(control) for control in CONTROLS if control.group == group)
        out.append("")
    out.append(
        "## From the command line\n\n"
        "`tests/service/cli/test_controls.py` has every control but these refuse a plan through "
        "`allocator execute` and let one through. These are refused in `tests/execution` alone:\n"
    )
    names = {control.id: control.code for control in CONTROLS}
    out.extend(f"- {id_} `{names[id_]}`: {why}" for id_, why in NOT_BY_COMMAND.items())
    out.append("")
    return "\n".join(out)


def _row(control: Control) -> str:
    chosen = control.fixed is None and control.key in ControlsConfig.model_fields
    key = f"`{control.key}`" if chosen or control.fixed is None else f"*{control.key}*"
    bound = "least" if control.at_least else "most"
    notes = ["mends"] if control.id in MENDS else []
    if control.latches is not None:
        notes.append(f"latches {control.latches[0]} {control.latches[1]}")
    cells = (control.id, key, bound, f"`{control.code}`", control.what, ", ".join(notes))
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
