"""Writes contract.md: which case of the contract each venue passed, and how that was proved.

Run from the root of the tree: ``make contract``. It runs the contract suite and the fault matrix
and writes down what came of them; a case that failed is written as failed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from allocator.adapters.ccxt.dialects import DIALECTS
from tests.adapters import test_contract
from tests.adapters.ccxt import fault_matrix

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "contract.md"
SUITE = ROOT / "tests" / "adapters" / "test_contract.py"
MATRIX = ROOT / "tests" / "adapters" / "ccxt" / "test_fault_matrix.py"
SUBJECTS = tuple(row.__name__ for row in test_contract.SUBJECTS)
CASES = {
    name.split("_")[1]: f"{' '.join(name.split('_')[2:]).capitalize()}."
    for name in vars(test_contract) if name.startswith("test_c")
}  # fmt: skip
"""The sentence of each case, by its id: the test's own name."""

WANTED = ("hyperliquid", "krakenfutures", "gate", "bitget", "kucoinfutures")
"""Venues that are to come."""

Results = Mapping[tuple[str, ...], bool]
"""Whether every test of a case passed, by (case, venue) or by (venue, write, fault)."""

HEAD = """\
# What is proved of each venue

Every adapter, and the paper venue, has to pass the same numbered cases. This page is written by
`make contract`, which runs them; a test keeps it true.

How to read a cell:

- **paper**: passed by the paper venue, in the program's own process.
- **loopback**: passed by the real client, with the venue's own addresses, signatures and errors,
  against the loopback exchange of that venue ([loopback.md](loopback.md) lists its endpoints, each
  with the page of the venue's documentation that it follows). Not one of these cases was run
  against the venue itself.
- **payload**: passed on recorded or documented payloads alone.
- **not proved**: there is an adapter, and nothing was run. **no adapter**: there is nothing to run.
- **FAILED**: it was run and did not pass.
"""
FAULT_HEAD = """\
## Every fault against every write

Each cell is one run of the real client against the loopback exchange: how the outcome was typed,
and how often the exchange's own ledger counts the write. The client sent each of them once, by the
exchange's own request log, and after each but a cancel and the switch a look-up by client id told
what the ledger says. One was not sent: Deribit cancels by its own id, which a look-up that lags
does not give.

| fault | what happens |
|-|-|
| delay | carried out, the answer comes late |
| drop_before, drop_after | the connection dies before, or after, the write is carried out |
| truncate, html, http_500_after | carried out, the answer is cut, a web page, a bare 500 |
| 429, 418 | not carried out, too many requests, or a ban |
| duplicate | the network delivers the request twice; the answer is the second one |
| stale | carried out, the answer is lost, and the first look-up is answered from before |
| skew | the venue's clock is a minute and a half ahead |

A 2 under `duplicate` is the venue's: it forgets an ended order's client id (Binance, OKX), has no
key for this write (wallet transfers at Binance, moves at Bybit), or repeating it is harmless (the
dead man's switch). Nothing but a proxy that repeats requests on its own can bring it about.
"""


def page(results: Results) -> str:
    """Write the page's text from what the suite came to."""
    return "\n".join(
        [HEAD, *_contract(results), "", FAULT_HEAD, *_faults(results), *_sums(results)]
    )


def collected() -> Results:
    """Name every case there is as passed: what the page says when the suite passes."""
    found = dict.fromkeys(((case, venue) for case in CASES for venue in SUBJECTS), True)
    return {**found, **dict.fromkeys(fault_matrix.cases(), True)}


def _contract(results: Results) -> Sequence[str]:
    rest = sorted(set(DIALECTS) - set(SUBJECTS))
    missing = [name for name in WANTED if name not in DIALECTS]
    venues = [*SUBJECTS, *rest, *missing]
    rows = ["## The cases", "", f"| case | | {' | '.join(venues)} |"]
    rows.append("|-" * (len(venues) + 2) + "|")
    for case, words in CASES.items():
        cells = [_cell(results, case, venue) for venue in venues]
        rows.append(f"| {case.upper()} | {words} | {' | '.join(cells)} |")
    return rows


def _cell(results: Results, case: str, venue: str) -> str:
    if venue not in DIALECTS and venue not in SUBJECTS:
        return "no adapter"
    passed = results.get((case, venue))
    if passed is None:
        return "not proved"
    return test_contract.PROOFS[venue] if passed else "FAILED"


def _faults(results: Results) -> Sequence[str]:
    faults = list(fault_matrix.FAULTS)
    rows = [f"| venue | write | {' | '.join(faults)} |", "|-" * (len(faults) + 2) + "|"]
    for venue, writes in fault_matrix.WRITES.items():
        for write in writes:
            cells = [_outcome(results, venue, write, fault) for fault in faults]
            rows.append(f"| {venue} | {write} | {' | '.join(cells)} |")
    return rows


def _outcome(results: Results, venue: str, write: str, fault: str) -> str:
    if not results.get((venue, write, fault), False):
        return "FAILED"
    wanted = fault_matrix.expected(venue, write, fault)
    return f"{wanted.outcome} {wanted.carried_out}"


def _sums(results: Results) -> Sequence[str]:
    kinds = Counter(len(key) for key in results)
    failed = sum(not passed for passed in results.values())
    return [
        "",
        f"{kinds[2]} cells of the contract and {kinds[3]} of the fault matrix were run; {failed} "
        "failed.",
        "",
    ]


class Collected:
    """A pytest plugin that keeps whether each case passed."""

    def __init__(self) -> None:
        self.results: dict[tuple[str, ...], bool] = {}
        self._keys: dict[str, tuple[str, ...]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Learn which cell each test is of."""
        for item in items:
            told = vars(item)["callspec"].params
            name = vars(item)["originalname"]
            if "fault" in told:
                self._keys[item.nodeid] = (told["venue"], told["write"], told["fault"])
            else:
                self._keys[item.nodeid] = (name.split("_")[1], told["subject"].__name__)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a result; one test that failed, or failed to start or end, fails its cell."""
        key = self._keys[report.nodeid]
        self.results[key] = self.results.get(key, True) and report.passed


def main() -> int:
    """Run the suites and write the page; the exit status is theirs."""
    plugin = Collected()
    status = pytest.main(["-q", str(SUITE), str(MATRIX)], plugins=[plugin])
    ordered = {key: plugin.results[key] for key in collected() if key in plugin.results}
    PAGE.write_text(page(ordered), encoding="utf-8")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
