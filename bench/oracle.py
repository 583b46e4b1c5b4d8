"""Measure plans of random books against an exact model, the verifier and an independent referee.

    python -m bench.oracle --books 10 [--flavours plain inverse] [--referee PATH] [--out FILE]

For every flavour: rules broken, the worst gap that a certificate claims, the worst distance to the
best plan that the exact model finds, bounds above an attained total, S above the least. The same
seeds make the same books; the exact model is limited by nodes. Exit status 1 where a rule is
broken, a bound is wrong, or a plan misses the best by more than is allowed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from allocator.decide import decide
from allocator.models.plan import Plan
from allocator.models.scenario import Scenario
from allocator.state import Book
from allocator.verify import verify
from bench.exact.bracket import ALLOWANCE, NODES, Bracket, bracket, replayed, sizes_of
from tests.books import FLAVOURS, random_book

MISS = 0.05
MISS_RELATIVE = 0.0005
"""How far a plan may be from the best, numeraire and share of its controllable parts."""

NOISE = 1e-4
"""Error of figures in floats, numeraire."""

SAME = 0.01
"""How far the exact model's cost of our plan may be from the law's, numeraire."""

ROUNDING = 1e-6
"""By how much S of two plans may differ that are compared at equal S, numeraire."""

Referee = Callable[[Mapping[str, Any], Plan], list[str]]


@dataclass
class Case:
    """One book, measured; amounts in numeraire.

    Attributes
    ----------
    distance
        Our total less the best total found, both with S up to the same cap.
    open
        Width of the exact model's bracket.
    safe
        Whether a safe order of steps is known for the better plan.
    wrong
        What is wrong, in words.
    """

    flavour: str
    seed: int
    status: str
    actions: int = 0
    total: float = 0.0
    bound: float = 0.0
    gap: float = 0.0
    shortfall: float = 0.0
    distance: float = 0.0
    relative: float = 0.0
    open: float = 0.0
    best: float = 0.0
    least_shortfall: float = 0.0
    safe: bool = False
    wrong: list[str] = field(default_factory=list[str])


def measured(flavour: str, seed: int, referee: Referee | None, nodes: int = NODES) -> Case:
    """Decide a book and measure the plan."""
    raw = random_book(seed, flavour)
    scenario = Scenario.model_validate(raw)
    plan = decide(scenario.snapshot, scenario.mandate)
    broken = [str(row) for row in verify(scenario.snapshot, scenario.mandate, plan)]
    if referee is not None:
        broken += [f"referee: {text}" for text in referee(raw, plan)]
    if plan.certificate is None:
        return Case(flavour, seed, plan.status, wrong=[*broken, f"refused: {plan.note}"])
    book = Book.of(scenario.snapshot, scenario.mandate)
    total, short = float(plan.cost.total), float(plan.certificate.shortfall)
    known = bracket(book, total, short, nodes=nodes)
    case = _case(flavour, seed, plan, known)
    held = plan.status == "infeasible" and scenario.mandate.policy.infeasible == "hold"
    if held:
        case.distance = case.relative = case.gap = 0.0  # nothing is done, as the mandate asks
    case.wrong = [*broken, *_wrong(case, plan, known, held=held), *_unlike(book, plan)]
    return case


def _case(flavour: str, seed: int, plan: Plan, known: Bracket) -> Case:
    assert plan.certificate is not None
    total, proof = float(plan.cost.total), plan.certificate
    best = total if known.value is None else min(total, known.value)
    distance = total - best if float(proof.shortfall) <= known.cap + NOISE else float("nan")
    return Case(
        flavour=flavour,
        seed=seed,
        status=plan.status,
        actions=len(plan.actions),
        total=total,
        bound=float(proof.lower_bound),
        gap=float(proof.gap_relative),
        shortfall=float(proof.shortfall),
        distance=distance,
        relative=distance / max(1.0, float(plan.cost.worked)),
        open=best - known.bound,
        best=best,
        least_shortfall=known.least_shortfall_value,
        safe=known.safe,
    )


def _wrong(case: Case, plan: Plan, known: Bracket, *, held: bool) -> list[str]:
    out = list[str]()
    reach = case.shortfall if held or not known.safe else known.least_shortfall_value
    if case.shortfall > reach + ALLOWANCE + NOISE:
        out.append(f"S is {case.shortfall:.4f}, {known.least_shortfall_value:.4f} is attainable")
    if known.safe and case.distance > MISS + MISS_RELATIVE * float(plan.cost.worked):
        out.append(f"{case.distance:.4f} above the best, {case.best:.4f}: {known.sizes}")
    room = NOISE + 1e-7 * abs(case.best)
    if known.value is None or known.shortfall > case.shortfall + ROUNDING:
        room = float("inf")  # a little more S may save any amount
    if case.bound > case.best + room:
        out.append(f"the bound {case.bound:.6f} is above an attained total {case.best:.6f}")
    assert plan.certificate is not None
    if float(plan.certificate.shortfall_lower_bound) > known.least_shortfall_value + 0.01:
        out.append("the bound of S is above an attained S")
    return out


def _unlike(book: Book, plan: Plan) -> list[str]:
    """Tell where the exact model itself disagrees with the law about our plan."""
    found = replayed(book, sizes_of(plan))
    if found is None:
        return ["the exact model refuses the plan"]
    if abs(found[1] - float(plan.cost.total)) > SAME:
        return [f"the exact model costs the plan at {found[1]:.4f}"]
    return []


def referee_at(path: Path) -> Referee:
    """Load an independent referee from a file.

    It counts the wallet of an isolated pair as collateral of its account, which the law does not:
    what it says of margin is left out for such books.
    """
    spec = importlib.util.spec_from_file_location("referee", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["referee"] = module
    spec.loader.exec_module(module)

    def judge(raw: Mapping[str, Any], plan: Plan) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            scenario, said = Path(folder) / "scenario.json", Path(folder) / "plan.json"
            scenario.write_text(json.dumps(raw), encoding="utf-8")
            said.write_text(json.dumps(plan.to_json()), encoding="utf-8")
            verdict = module.judge(str(scenario), str(said))
        other = any(
            p.get("isolated") for a in raw["snapshot"]["accounts"] for p in a["positions"].values()
        )
        return [
            f"{row['code']}: {row['message']}"
            for row in verdict["violations"]
            if not (other and ("margin" in row["message"] or "shortfall" in row["message"]))
        ]

    return judge


def table(cases: Iterable[Case]) -> str:
    """Write a table of cases by flavour.

    Distances are to better plans that a safe order of steps is known for; of how many books the
    best plan has none is in the column "unordered".
    """
    names = ("flavour", "books", "acted", "wrong", "unordered", *FIGURES.values())
    rows = [f"| {' | '.join(names)} |", "|-" * len(names) + "|"]
    by: dict[str, list[Case]] = {}
    for case in cases:
        by.setdefault(case.flavour, []).append(case)
    for flavour, some in by.items():
        worst = [max((getattr(c, n) for c in some if c.safe), default=0.0) for n in FIGURES]
        rows.append(
            f"| {flavour} | {len(some)} | {sum(c.actions > 0 for c in some)} "
            f"| {sum(bool(c.wrong) for c in some)} | {sum(not c.safe for c in some)} "
            f"| {worst[0]:.3%} | {worst[1]:.4f} "
            f"| {worst[2]:.4%} | {worst[3]:.4f} |"
        )
    return "\n".join(rows)


FIGURES = {
    "gap": "worst gap",
    "distance": "worst distance",
    "relative": "relative",
    "open": "open",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--books", type=int, default=10, help="books per flavour")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--flavours", nargs="*", default=list(FLAVOURS), choices=list(FLAVOURS))
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--referee", type=Path, help="an independent referee's file")
    parser.add_argument("--out", type=Path, help="where to write every case as JSON lines")
    asked = parser.parse_args(arguments)
    referee = None if asked.referee is None else referee_at(asked.referee)
    cases = list[Case]()
    for flavour in asked.flavours:
        for seed in range(asked.first, asked.first + asked.books):
            case = measured(flavour, seed, referee, asked.nodes)
            cases.append(case)
            if case.wrong:
                print(f"{flavour} {seed}: {'; '.join(case.wrong)}", flush=True)
            if asked.out is not None:
                with asked.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(case)) + "\n")
    print(table(cases))
    return int(any(case.wrong for case in cases))


if __name__ == "__main__":
    sys.exit(main())
