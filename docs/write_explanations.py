"""Writes explanations.md: every scenario decided, and its plan told in words.

Run from the root of the tree: ``make explanations``.
"""

from __future__ import annotations

import os
from pathlib import Path

from allocator.decide import decide
from allocator.models.explain import explain
from allocator.whatif.places import places
from allocator.whatif.reader import load_scenario

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanations.md"
HEAD = """\
# What the allocator says of its plans

`allocator explain FILE` tells what a plan does, why, what it costs, which limits bind and what
stays broken; `-o json` gives the same facts in typed fields, each beside its sentence. Below is
its answer to every file in `scenarios/`. This page is written by `make explanations`; a test keeps
it true.

How to read it:

- **Costs** are those of the whole book over the horizon, its distance from the targets included;
  one below zero is a gain.
- **Why an action is there.** What would be missing without it, by requirement and account, for the
  leg that asks for most margin; for an order, where the exposure would end without it, all other
  actions done, and where the plan ends; what leaving it out would cost, by part of the cost (a
  minus sign is what it saves); and the best other way to the same end that keeps every rule, with
  what that would cost more.
- **What binds.** The price is what a little more room would save, with the plan's own actions paid
  for. Cheap units are priced by the thousand. A limit that would save nothing is not listed, and
  none is while something stays missing: room for it would first mend that.
- **What is in conflict.** Rules that cannot all be kept while something is repaired, and for each
  the smallest change of it that mends it, found with whole lots and confirmed by deciding anew. A
  rule that is not enough alone names those that have to give way with it; what may be given up in
  vain is named, too. A repair may end up to 1 USD above the least that can stay missing, where
  that is cheaper.
- **Where.** In square brackets, file, line and column of the declaration.
"""


def page() -> str:
    """Write the page's text; paths are relative to the root of the tree."""
    out = [HEAD]
    for path in sorted((ROOT / "scenarios").glob("*.yaml")):
        scenario = load_scenario(path)
        plan = decide(scenario.snapshot, scenario.mandate)
        tell, base = places(path), f"{ROOT}{os.sep}"
        told = explain(plan, lambda place, tell=tell, base=base: tell(place).removeprefix(base))
        out.append(f"## {path.stem}\n\n{scenario.description}\n\n```text\n{told}\n```\n")
    return "\n".join(out)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
