"""The sparse assembly and the cvxpy specification are one program."""

from __future__ import annotations

import numpy as np
import pytest

from allocator.minimise.search import least_shortfall
from allocator.program.build import Program
from allocator.program.separable import Vector
from allocator.program.solve import solve
from allocator.program.specification import specify
from tests.books import FLAVOURS
from tests.program.completion import Completion
from tests.program.programs import program_of, scenario_of, shared

CONVEX = sorted(set(FLAVOURS) - {"whole_position"})


def one_sided(program: Program, actions: Vector) -> Vector:
    """Net both orders of a pair, of which an interior point leaves a trace of the idle one."""
    layout, out = program.core.layout, actions.copy()
    both = np.minimum(out[layout.buys], out[layout.sells])
    out[layout.buys] -= both
    out[layout.sells] -= both
    return out


@pytest.mark.parametrize("flavour", CONVEX)
def test_both_forms_of_the_program_agree_at_points_between_idle_and_optimal(flavour: str) -> None:
    for seed in (0, 1):
        scenario = scenario_of(seed, flavour)
        models = {row.margin.model for row in scenario.snapshot.accounts}
        if "whole_position" in models:
            continue
        program = program_of(scenario.snapshot, scenario.mandate)
        form, n = program.form, program.form.n_actions
        slope, every = form.fixed * shared(program), form.top > 0
        cap = max(0.0, least_shortfall(form).value) + 1e-5
        best = one_sided(program, solve(form.capped(cap).weighted(slope, every)).x[:n])
        written = specify(program.core)
        completion = Completion(form, form.weighted(slope, every))
        for part in (1.0, 0.6, 0.2, 0.0):
            actions = np.clip(best * part, 0.0, form.top)
            written.actions.value = actions
            found = completion.at(actions)
            cost, short = found.total / form.cost_unit, found.shortfall
            near = 1e-9 * max(1.0, abs(cost))
            assert float(written.cost.value) == pytest.approx(cost, abs=near)
            assert float(written.shortfall.value) == pytest.approx(short, abs=1e-9 * (1 + short))
            worst = max(float(np.max(rule.violation())) for rule in written.rules)
            assert worst <= 1e-6 * form.unit
