"""One mean-variance step with linear costs, the same data to peers and to us.

    maximise  (mu - c)'w - gamma/2 w' Sigma w   subject to  w >= 0, sum w <= 1

One account that holds cash alone buys into n assets: what every peer can express (a library
without transaction costs takes them off the returns, as every trade is a buy). Ours is a book of
perpetuals whose expected return is `alpha`, whose cost is the taker fee, whose risk is tracking to
nothing; no order cost, no impact. One evaluator in numpy judges every answer.

    python -m bench.peers 50
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allocator.decide import decide
from allocator.models.mandate import Mandate
from allocator.models.snapshot import Snapshot
from allocator.program.build import build
from allocator.program.crossing import arrays_of
from allocator.program.solve import solve
from allocator.state import Book

Vector = NDArray[np.float64]

CAPITAL = 10_000_000
"""Worth of weight one, numeraire."""

FACTORS = 8
TARGET = 0.8
"""Sum of weights at which risk aversion is set."""

CASH_VARIANCE = 1e-12
"""Variance of cash for libraries that only know budgets of one."""


@dataclass(frozen=True)
class Data:
    """What everybody is given."""

    mu: Vector
    sigma: Vector
    cost: Vector
    gamma: float

    @property
    def count(self) -> int:
        """Number of assets."""
        return int(self.mu.size)

    def utility(self, w: Vector) -> float:
        """Judge weights; what lies outside the constraints is brought back first."""
        w = np.maximum(w, 0.0)
        w = w / max(1.0, float(w.sum()))
        return float((self.mu - self.cost) @ w - self.gamma / 2 * w @ self.sigma @ w)


def data_of(count: int, seed: int = 0) -> Data:
    """Make a factor model's returns, covariance and costs; the same for the same size and seed."""
    rng = np.random.default_rng([seed, count])
    loadings = rng.normal(0, 0.008, (count, FACTORS)) + 0.012 * (np.arange(FACTORS) == 0)
    own = rng.uniform(0.01, 0.04, count) ** 2
    sigma = loadings @ loadings.T + np.diag(own)
    mu = np.round(rng.normal(0.001, 0.0015, count), 7)
    cost = np.round(rng.uniform(2e-4, 8e-4, count), 7)
    sigma = np.round(sigma, 12)
    alone = np.maximum(mu - cost, 0.0) / np.diag(sigma)
    return Data(mu, sigma, cost, gamma=float(np.ceil(alone.sum() / 4 / TARGET)))


def by_clarabel(data: Data) -> Vector:
    """Solve with cvxpy and Clarabel: the reference."""
    import cvxpy as cp

    w = cp.Variable(data.count, nonneg=True)
    root = np.linalg.cholesky(data.sigma)
    goal = (data.mu - data.cost) @ w - data.gamma / 2 * cp.sum_squares(root.T @ w)
    cp.Problem(cp.Maximize(goal), [cp.sum(w) <= 1]).solve(solver=cp.CLARABEL)
    return np.asarray(w.value, dtype=np.float64)


def by_cvxportfolio(data: Data) -> Vector:
    """Solve with cvxportfolio's single-period policy."""
    import cvxportfolio as cvx
    import pandas as pd

    names = [f"A{at}" for at in range(data.count)]
    cost = cvx.TransactionCost(a=pd.Series(data.cost, names), b=None)
    goal = (
        cvx.ReturnsForecast(r_hat=pd.Series(data.mu, names))
        - data.gamma / 2 * cvx.FullCovariance(pd.DataFrame(data.sigma, names, names))
        - cost
    )
    policy = cvx.SinglePeriodOptimization(
        goal,
        [cvx.LongOnly(), cvx.LeverageLimit(1)],
        include_cash_return=False,
        solver="CLARABEL",
    )
    held = pd.Series([0.0] * data.count + [1.0], [*names, "cash"])
    trades, _, _ = policy.execute(held, market_data=None, t=pd.Timestamp("2026-11-20"))
    return np.asarray(trades[:-1], dtype=np.float64)


def by_riskfolio(data: Data) -> Vector:
    """Solve with Riskfolio-Lib: no transaction costs, so returns are net; cash is an asset."""
    import pandas as pd
    import riskfolio as rp

    count = data.count + 1
    names = [f"A{at}" for at in range(data.count)] + ["cash"]
    sigma = np.zeros((count, count))
    sigma[:-1, :-1], sigma[-1, -1] = data.sigma, CASH_VARIANCE
    seen = pd.DataFrame(np.random.default_rng(0).normal(0, 0.01, (3, count)), columns=names)
    port = rp.Portfolio(returns=seen)
    port.mu = pd.DataFrame([np.append(data.mu - data.cost, 0.0)], columns=names)
    port.cov = pd.DataFrame(sigma, names, names)
    port.solvers = ["CLARABEL"]
    port.sol_params = {"CLARABEL": {}}
    found = port.optimization(model="Classic", rm="MV", obj="Utility", l=data.gamma / 2, hist=True)
    return np.asarray(found["weights"].to_numpy()[:-1], dtype=np.float64)


def by_skfolio(data: Data) -> Vector:
    """Solve with skfolio's mean-risk estimator and its linear transaction costs."""
    import pandas as pd
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk, ObjectiveFunction
    from skfolio.prior import BasePrior, ReturnDistribution

    class Given(BasePrior):  # type: ignore[misc]
        """A prior that is given."""

        def __init__(self) -> None:
            pass

        def fit(self, X: Any, y: Any = None, **_: Any) -> Given:
            """Take the data as they are."""
            del y
            self.return_distribution_ = ReturnDistribution(
                mu=data.mu, covariance=data.sigma, returns=np.asarray(X)
            )
            return self

    names = [f"A{at}" for at in range(data.count)]
    seen = np.random.default_rng(0).normal(0, 0.01, (3, data.count))
    model = MeanRisk(
        risk_measure=RiskMeasure.VARIANCE,
        objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
        risk_aversion=data.gamma / 2,
        prior_estimator=Given(),
        min_weights=0.0,
        budget=None,
        min_budget=0.0,
        max_budget=1.0,
        transaction_costs=data.cost,
        previous_weights=np.zeros(data.count),
        solver="CLARABEL",
    )
    model.fit(pd.DataFrame(seen, columns=names))
    return np.asarray(model.weights_, dtype=np.float64)


def book_of(data: Data) -> tuple[Snapshot, Mandate]:
    """Write the same problem as a book of one account."""
    names = [f"A{at:03d}" for at in range(data.count)]
    account = {
        "id": "a",
        "venue": "v",
        "owner": "fund",
        "fees": {
            "taker": "1",
            "by": {f"v:{n}": {"taker": f"{c:.7f}"} for n, c in zip(names, data.cost, strict=True)},
        },
        "balances": {"USD": {"wallet": str(10 * CAPITAL)}},
        "positions": {f"v:{name}": {"quantity": "0", "leverage": "10"} for name in names},
    }
    snapshot = {
        "as_of": "2026-11-20T06:30:00Z",
        "assets": {"USD": {"price": "1"}},
        "instruments": [_perpetual(name) for name in names],
        "accounts": [account],
    }
    mandate = _mandate(data, names)
    return Snapshot.model_validate(snapshot), Mandate.model_validate(mandate)


def _perpetual(name: str) -> dict[str, object]:
    """Describe an asset as a contract of one dollar that neither funding nor brackets bind."""
    return {
        "id": f"v:{name}",
        "kind": "perpetual",
        "underlying": name,
        "settle": "USD",
        "contract_size": "1",
        "lot": "1",
        "tick": "0.01",
        "mark": "1",
        "bid": "1",
        "ask": "1",
        "daily_volume": "1000000000",
        "daily_volatility": "0.02",
        "funding": {"rate": "0", "interval_h": "8"},
        "tiers": [{"cap": "1000000000", "maintenance": "0.01", "max_leverage": "20"}],
    }


def _mandate(data: Data, names: list[str]) -> dict[str, object]:
    """Ask for the step's utility: long only, within the capital, the peers' risk and returns."""
    volatility = np.sqrt(np.diag(data.sigma))
    correlation = [
        [names[i], names[j], f"{data.sigma[i, j] / volatility[i] / volatility[j]:.12f}"]
        for i in range(data.count)
        for j in range(i)
    ]
    everything = {"of": {"any": True}, "scope": {"portfolio": True}}
    return {
        "targets_default": "zero",
        "limits": [
            {"id": "long only", "measure": "short_notional", "max": "0", **everything},
            {"id": "budget", "measure": "gross_notional", "max": str(CAPITAL), **everything},
        ],
        "policy": {
            "horizon_h": "24",
            "risk_aversion": f"{data.gamma / CAPITAL:.15f}",
            "band_penalty": "0",
            "impact": "0",
            "max_slice": str(CAPITAL),
            "risk": {
                "daily_volatility": {
                    n: f"{v:.12f}" for n, v in zip(names, volatility, strict=True)
                },
                "correlation": correlation,
            },
            "alpha": {f"v:{n}": f"{m:.7f}" for n, m in zip(names, data.mu, strict=True)},
        },
    }


def ours(data: Data) -> dict[str, Any]:
    """Solve with decide: orders in whole dollars; and the relaxed program alone."""
    snapshot, mandate = book_of(data)
    start = perf_counter()
    plan = decide(snapshot, mandate)
    seconds = perf_counter() - start
    w = np.zeros(data.count)
    for action in plan.actions:
        assert action.kind == "order"
        w[int(action.instrument.removeprefix("v:A"))] = float(action.signed) / CAPITAL
    book = Book.of(snapshot, mandate)
    start = perf_counter()
    form = build(arrays_of(book), None).form
    built = perf_counter()
    solve(form.relaxed())
    done = perf_counter()
    row = {"utility": data.utility(w), "seconds": seconds, "held": float(w.sum())}
    return row | {"build_s": built - start, "solve_s": done - built, "status": plan.status}


PEERS: dict[str, tuple[str, Callable[[Data], Vector]]] = {
    "cvxpy + Clarabel": ("cvxpy", by_clarabel),
    "cvxportfolio": ("cvxportfolio", by_cvxportfolio),
    "Riskfolio-Lib": ("riskfolio-lib", by_riskfolio),
    "skfolio": ("skfolio", by_skfolio),
}


def measured(count: int) -> dict[str, Any]:
    """Measure one number of assets; a peer that is not installed says so."""
    data = data_of(count)
    out: dict[str, Any] = {"assets": count}
    for name, (package, ask) in PEERS.items():
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            out[name] = {"missing": "not installed"}
            continue
        ask(data_of(10))  # imports are not what is measured
        start = perf_counter()
        w = ask(data)
        seconds = perf_counter() - start
        row = {"utility": data.utility(w), "seconds": seconds, "held": float(w.sum())}
        out[name] = row | {"version": version}
    ours(data_of(10))
    return out | {"allocator": ours(data)}


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]))))
