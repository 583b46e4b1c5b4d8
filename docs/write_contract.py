"""Writes contract.md: which case of the contract each venue passed, and how that was proved.

Run from the root of the tree: ``make contract``. It runs the contract suite and the fault matrix
and writes down what came of them; a case that failed is written as failed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from allocator.adapters.ccxt.dialects import DIALECTS
from allocator.adapters.ccxt.place import Place
from allocator.adapters.ccxt.rates import LIMITS, ORDERS
from allocator.adapters.ccxt.scopes import SCOPES
from allocator.adapters.ccxt.unused import UNUSED
from allocator.adapters.emulator.crowd import KINDS
from tests.adapters import contract_subjects, test_contract, test_contract_payload
from tests.adapters.ccxt import fault_matrix

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "contract.md"
TESTS = ROOT / "tests" / "adapters"
SUITE, PAYLOADS = TESTS / "test_contract.py", TESTS / "test_contract_payload.py"
MATRIX = TESTS / "ccxt" / "test_fault_matrix.py"
SUBJECTS = tuple(row.__name__ for row in contract_subjects.SUBJECTS)
RECORDED = test_contract_payload.RECORDED
CASES = {
    name.split("_")[1]: f"{' '.join(name.split('_')[2:]).capitalize()}."
    for module in (test_contract, test_contract_payload)
    for name in vars(module) if name.startswith("test_c")
}  # fmt: skip
"""The sentence of each case, by its id: the test's own name."""

UNADDED = "test_figures_that_do_not_add_up_are_refused"
ELSEWHERE: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("c16", "bybit"): ("payload", "test_modes.py", UNADDED),
    ("c16", "binance"): (
        "payload", "test_modes.py", "test_binance_s_figures_that_do_not_add_up_are_refused"
    ),
    ("c16", "okx"): ("payload", "test_okx_modes.py", UNADDED),
    ("c16", "deribit"): (
        "payload", "test_deribit_figures.py", "test_figures_that_are_not_understood_are_refused"
    ),
    **{
        ("c17", venue): ("loopback", "test_exact.py", "test_a_balance_arrives_digit_for_digit")
        for venue in KINDS
    },
    **{
        ("c18", venue): (
            "loopback", "test_sendable.py",
            "test_what_a_member_cannot_do_is_off_named_and_never_leaves",
        )
        for venue in KINDS
    },
    **{
        ("c19", venue): (
            "loopback", "test_signatures.py", "test_an_order_not_rightly_signed_is_none"
        )
        for venue in KINDS
    },
}  # fmt: skip
"""Where a case of a venue that has a loopback exchange is proved, and against what, if it is not
in the suite: file and test under tests/adapters/ccxt."""

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
- **payload**: passed by the real client on answers rebuilt from the venue's own documentation (each
  file of them names its pages). It proves what an order says when it arrives and that it is signed
  (both read by code written from the venue's pages alone: C01, C03, C11, C12, C14, C15, C19), and
  how an answer is read, typed and looked up. That the venue keeps to its pages it does not prove:
  of C10 to C15 it shows that the venue is told what was meant and that its refusal is typed, not
  that it refuses; what only an exchange's state could show (C08, C09) it does not show at all.
- **not proved**: nothing was run that would show it: of C03, that no page says the venue refuses a
  known client id; of C12 and C14, that no page tells its words for it. The paper venue is not read
  into a snapshot and signs nothing, which C16 to C19 are about.
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
dead man's switch). Nothing but a proxy that repeats requests on its own can bring it about. Where a
record bears no key, a refusal beside an equal record is Unknown, never Ack, and a record that is
known to be another action's is not taken for this one's.
"""


TABLE_HEAD = """\
## What each account is used for

The capability table of a main account at each venue, wallet by wallet: what it denies is neither
planned nor sent (C18). A number is how many orders one request carries, or after how many seconds
of silence at least every order in a book is cancelled: one that waits for a trigger is none of
those sent here, and may stay. **keyed**: a transfer bears a key by which the venue knows it again;
without one, a transfer of the same amount, or between the same accounts, waits for the one before.
**seen**: what a chain brings to the wallet is seen to arrive; where it is not, no withdrawal ends.
Sub-accounts can do less: they do not withdraw. KuCoin holds no second withdrawal against the first:
its records keep our key as a remark, by which two that are equal are told apart; what leaves its
futures wallet goes to the main one before it goes onto a chain. Gate's address book is read before
each withdrawal; the other venues refuse what is not in theirs, KuCoin where its switch says so.
Hyperliquid's transfers, of USDC alone, are signed by the user's own key, never by that of an API
wallet; one that its ledger does not show is absent once an action that does nothing has used its
number up. Kraken Futures' have neither a key nor a time after which they are refused: one without
an answer that its log does not show is never told as absent, and goes to an operator. Hyperliquid's
switch works ten times a day, and only once an account has traded a million dollars. Binance's is
used where its futures accounts trade six markets in all at most, each counted once an account.
**told**: the venue publishes how it stands, and is asked at each gather ([service.md](service.md)).
"""
UNUSED_HEAD = """\
What a venue offers besides and no adapter uses:

| venue | not used | why |
|-|-|-|"""
SCOPES_HEAD = """\
## Whom a venue counts together

Bounds on positions, and on requests by address, by key, or as the configuration's `rates` have
them; each with who says so.

Of the bounds on positions only brackets by leverage are read and planned by. The others' figures
are told by no request that is used: they are planned by as far as the mandate declares a limit of
that scope (`limits`, by owner and venue or by account), and refused by the venue otherwise.

| venue | what is bounded | who is counted together | source |
|-|-|-|-|"""


def page(results: Results) -> str:
    """Write the page's text from what the suite came to."""
    return "\n".join(
        [HEAD, *_contract(results), "", TABLE_HEAD, *_table(), "", *_unused(), "", *_scopes(), "",
         FAULT_HEAD, *_faults(results), *_sums(results)]
    )  # fmt: skip


def _table() -> Sequence[str]:
    rows = ["| venue | wallet | orders | batch | switch | transfers | withdrawals | deposits "
            "| moves | status |", "|-" * 10 + "|"]  # fmt: skip
    for venue in sorted(DIALECTS):
        for wallet in DIALECTS[venue].wallets:
            told = DIALECTS[venue].capabilities(main_account(wallet))
            cells = (
                "yes" if told.orders else "-",
                str(told.batch_orders) if told.batch_orders > 1 else "-",
                "-" if told.dead_man_s is None else f"{told.dead_man_s} s",
                ("keyed" if told.transfer_key else "yes") if told.transfers else "-",
                "yes" if told.withdrawals else "-",
                "seen" if told.sees_deposits else "-",
                "yes" if told.moves else "-",
                "told" if told.tells_status else "-",
            )
            rows.append(f"| {venue} | {wallet} | {' | '.join(cells)} |")
    return rows


def main_account(wallet: str) -> Place:
    """Stand for a main account of few markets, its member number configured, its key its own."""
    client = SimpleNamespace(signs_itself=lambda: True)
    config = SimpleNamespace(member="1", master=None)
    login = SimpleNamespace(name="main", config=config, client=client)
    config = SimpleNamespace(wallet=wallet, instruments=())
    return cast("Place", SimpleNamespace(config=config, login=login, master=login, beside=0))


def _unused() -> Sequence[str]:
    rows = (f"| {venue} | {what} | {why} |" for venue, told in sorted(UNUSED.items())
            for what, why in told)  # fmt: skip
    return [UNUSED_HEAD, *rows]


def collected() -> Results:
    """Name every case there is as passed: what the page says when the suites pass."""
    suite = [name.split("_")[1] for name in vars(test_contract) if name.startswith("test_c")]
    found = dict.fromkeys(((case, venue) for case in suite for venue in SUBJECTS), True)
    for name in vars(test_contract_payload):
        case = name.split("_")[1] if name.startswith("test_c") else ""
        for venue, recorded in RECORDED.items():
            if case and test_contract_payload.told(case, recorded):
                found[case, venue] = True
    found |= dict.fromkeys(ELSEWHERE, True)
    return {**found, **dict.fromkeys(fault_matrix.cases(), True)}


def _scopes() -> Sequence[str]:
    rows = [SCOPES_HEAD]
    for venue, bounds in sorted(SCOPES.items()):
        rows.extend(f"| {venue} | {row.what} | {row.scope} | {row.source} |" for row in bounds)
        rows.extend(
            f"| {venue} | {row.units:g} units in {row.window_s:g} s of "
            f"{' and '.join(row.services) or 'all'}{', each endpoint' if row.each else ''} "
            f"| {row.scope} | {row.source} |"
            for row in LIMITS[venue]
        )
        rows.extend(
            f"| {venue} | {row.units:g} new orders in {row.window_s:g} s of "
            f"{' and '.join(row.services)} | {row.scope} | {row.source} |"
            for row in ORDERS.get(venue, ())
        )
    return rows


def _contract(results: Results) -> Sequence[str]:
    venues = [*SUBJECTS, *sorted(RECORDED), *sorted(set(DIALECTS) - {*SUBJECTS, *RECORDED})]
    rows = ["## The cases", "", f"| case | | {' | '.join(venues)} |"]
    rows.append("|-" * (len(venues) + 2) + "|")
    for case, words in sorted(CASES.items()):
        cells = [_cell(results, case, venue) for venue in venues]
        rows.append(f"| {case.upper()} | {words} | {' | '.join(cells)} |")
    return rows


def _cell(results: Results, case: str, venue: str) -> str:
    passed = results.get((case, venue))
    if passed is None:
        return "not proved"
    if (case, venue) in ELSEWHERE:
        proof = ELSEWHERE[case, venue][0]
    else:
        proof = contract_subjects.PROOFS.get(venue, "payload")
    return proof if passed else "FAILED"


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
    """A pytest plugin that keeps whether each case passed; one that was skipped is not proved."""

    def __init__(self) -> None:
        self.results: dict[tuple[str, ...], bool] = {}
        self._keys: dict[str, list[tuple[str, ...]]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Learn which cells each test is of."""
        for item in items:
            self._keys[item.nodeid] = _cells(item)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a result; one test that failed, or failed to start or end, fails its cells."""
        for key in self._keys[report.nodeid]:
            if not report.skipped:
                self.results[key] = self.results.get(key, True) and report.passed
            elif report.when == "call":
                self.results.pop(key, None)


def _cells(item: pytest.Item) -> list[tuple[str, ...]]:
    """Name the cells that a test is of."""
    told = vars(item)["callspec"].params if "callspec" in vars(item) else {}
    name = str(vars(item)["originalname"])
    if "fault" in told:
        return [(told["venue"], told["write"], told["fault"])]
    if "subject" in told:
        return [(name.split("_")[1], told["subject"].__name__)]
    if "played" in told:
        return [(name.split("_")[1], told["played"])] if name.startswith("test_c") else []
    return [
        cell for cell, (_, file, test) in ELSEWHERE.items()
        if (file, test) == (item.path.name, name) and told.get("venue", cell[1]) == cell[1]
    ]  # fmt: skip


def main() -> int:
    """Run the suites and write the page; the exit status is theirs."""
    plugin = Collected()
    elsewhere = sorted({f"{TESTS / 'ccxt' / file}::{test}" for _, file, test in ELSEWHERE.values()})
    status = pytest.main(
        ["-q", str(SUITE), str(PAYLOADS), str(MATRIX), *elsewhere], plugins=[plugin]
    )
    ordered = {key: plugin.results[key] for key in collected() if key in plugin.results}
    PAGE.write_text(page(ordered), encoding="utf-8")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
