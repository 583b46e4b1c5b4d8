from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.models.service import FALLING, TriggerRule
from allocator.models.status import VenueState, VenueStatus
from allocator.risk.triggers import Line, Observation, graver, over, step, watch

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
TINY = Decimal("0.000001")
KINDS = (
    "drift", "margin_ratio", "liquidation_distance", "pnl",
    "drawdown", "utilisation", "venue", "funding",
)  # fmt: skip


def rule(on: str = "drift", **changes: object) -> TriggerRule:
    if on == "funding":
        changes["persist_s"] = 0  # a change does not last: it is refused otherwise
    given_ = {"id": "r", "on": on, "threshold": "100", "cooldown_s": 0, **changes}
    return TriggerRule.model_validate(given_)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def play(which: TriggerRule, values: list[Decimal | None], gap_s: float = 1) -> list[int]:
    """Positions at which the trigger fires when it is shown these figures."""
    line, out = Line(), []
    for i, value in enumerate(values):
        line, fires = step(which, line, value, at(i * gap_s))
        if fires:
            out.append(i)
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_fires_strictly_beyond_the_threshold(kind: str) -> None:
    which = rule(kind)
    beyond = -TINY if kind in FALLING else TINY
    assert play(which, [Decimal(100) - beyond]) == []
    assert play(which, [Decimal(100)]) == []
    assert play(which, [Decimal(100) + beyond]) == [0]


def test_stays_quiet_until_it_has_persisted() -> None:
    which = rule(persist_s=3)
    assert play(which, [Decimal(200)] * 3) == []
    assert play(which, [Decimal(200)] * 4) == [3]
    broken = [Decimal(200), Decimal(200), Decimal(50), Decimal(200), Decimal(200), Decimal(200)]
    assert play(which, broken) == []


def test_arms_again_only_past_its_release() -> None:
    which = rule(release="80")
    assert play(which, [Decimal(v) for v in (101, 99, 101, 81, 101)]) == [0]
    assert play(which, [Decimal(v) for v in (101, 99, 80, 101)]) == [0, 3]


def test_cools_down_between_two_firings() -> None:
    values = [Decimal(v) for v in (101, 50, 101, 50, 101)]
    assert play(rule(cooldown_s=4), values) == [0, 4]
    assert play(rule(cooldown_s=5), values) == [0]


def test_repeats_while_over_only_where_it_is_told_to() -> None:
    assert play(rule(cooldown_s=3), [Decimal(200)] * 8) == [0]
    assert play(rule(cooldown_s=3, repeat=True), [Decimal(200)] * 8) == [0, 3, 6]


@pytest.mark.parametrize("ahead_s", [3600, 365 * 86400])
def test_a_firing_of_the_future_silences_nothing(ahead_s: float) -> None:
    which, line = rule(cooldown_s=60, repeat=True), Line(None, False, at(ahead_s))
    fired = list[int]()
    for i in range(0, 200, 10):
        line, fires = step(which, line, Decimal(200), at(i))
        fired += [i] * fires
    assert fired == [0, 60, 120, 180]


def test_what_went_over_its_line_in_the_future_persists_from_now_on() -> None:
    which, line = rule(persist_s=30), Line(at(86400))
    fired = list[int]()
    for i in range(0, 100, 10):
        line, fires = step(which, line, Decimal(200), at(i))
        fired += [i] * fires
    assert fired == [30]


def test_unknown_figure_neither_fires_nor_arms_and_breaks_persistence() -> None:
    assert play(rule(), [None, None]) == []
    assert play(rule(), [Decimal(200), None, Decimal(200)]) == [0]
    assert play(rule(persist_s=2), [Decimal(200), None, Decimal(200), Decimal(200)]) == []


@pytest.mark.parametrize(("kind", "release"), [("drift", "101"), ("margin_ratio", "99")])
def test_release_on_the_far_side_is_refused(kind: str, release: str) -> None:
    with pytest.raises(ValueError, match="far side"):
        rule(kind, release=release)


values = st.lists(st.one_of(st.none(), st.decimals(-300, 300, places=2)), max_size=40)
rules = st.builds(
    lambda on, persist, cooldown, repeat, margin: rule(
        on,
        persist_s=persist,
        cooldown_s=cooldown,
        repeat=repeat,
        release=str(Decimal(100) + (margin if on in FALLING else -margin)),
    ),
    st.sampled_from(KINDS),
    st.integers(0, 5),
    st.integers(0, 8),
    st.booleans(),
    st.integers(0, 50),
)


@given(rules, values)
def test_firings_keep_cooldown_persistence_and_hysteresis(
    which: TriggerRule, shown: list[Decimal | None]
) -> None:
    fired = play(which, shown)
    for i in fired:
        run = shown[i - int(which.persist_s) : i + 1]
        assert len(run) == int(which.persist_s) + 1
        assert all(value is not None and over(which, value) for value in run)
    for before, after in pairwise(fired):
        assert after - before >= which.cooldown_s
        if not which.repeat:
            assert which.release is not None
            between = [v for v in shown[before + 1 : after] if v is not None]
            assert any(v >= which.release if which.falls else v <= which.release for v in between)


@given(rules, values)
def test_what_was_remembered_is_all_that_counts(
    which: TriggerRule, shown: list[Decimal | None]
) -> None:
    """Stopping and starting again with the remembered lines changes no firing."""
    whole, lines, fired = play(which, shown), {}, []
    for i, value in enumerate(shown):
        lines = {key: Line(row.since, row.armed, row.fired_at) for key, row in lines.items()}
        seen = Observation(at(i), {which.on: {"x": value}})
        lines, firings = watch((which,), lines, seen)
        fired += [i] * len(firings)
    assert fired == whole


def test_firing_names_rule_subject_figure_and_line() -> None:
    seen = Observation(START, {"margin_ratio": {"bybit-a": Decimal("1.05"), "b": Decimal(9)}})
    _, (firing,) = watch((rule("margin_ratio", threshold="1.1"),), {}, seen)
    assert firing.name == "trigger r: margin_ratio bybit-a 1.05 below 1.1"


def test_rule_of_one_subject_watches_no_other() -> None:
    seen = Observation(START, {"drift": {"BTC": Decimal(500), "ETH": Decimal(500)}})
    lines, (firing,) = watch((rule(of="ETH"),), {}, seen)
    assert firing.subject == "ETH"
    assert set(lines) == {("r", "ETH")}


def test_subject_that_vanished_is_not_known() -> None:
    which = rule(persist_s=2)
    lines, _ = watch((which,), {}, Observation(START, {"drift": {"BTC": Decimal(500)}}))
    lines, _ = watch((which,), lines, Observation(at(1), {}))
    assert lines["r", "BTC"].since is None


SHORT: dict[str, VenueState] = {
    "o": "open", "l": "limited", "c": "cancel_only", "m": "maintenance", "?": "unknown",
}  # fmt: skip
LAST: dict[str, VenueState] = {"M": "maintenance", "L": "limited"}
"""What was told last by a venue that cannot be read."""


def says(
    which: TriggerRule, told: str, ages: dict[int, int] | None = None
) -> list[tuple[int, str]]:
    """When the trigger fires, and for what, when a venue says these things a second apart."""
    lines, out = dict[tuple[str, str], Line](), list[tuple[int, str]]()
    for i, letter in enumerate(told):
        age = Decimal((ages or {}).get(i, 0))
        state, last = SHORT.get(letter, "unknown"), LAST.get(letter)
        statuses = {"okx": VenueStatus(state=state, note="upgrade", before=last)}
        seen = Observation(at(i), {"venue": {"okx": age}}, statuses)
        lines, firings = watch((which,), lines, seen)
        out += [(i, row.name) for row in firings]
    return out


UPGRADE = "trigger r: venue okx says maintenance: upgrade"


@pytest.mark.parametrize("letter", "lcm")
def test_a_venue_that_says_it_is_not_open_fires_once_whatever_the_threshold(letter: str) -> None:
    words = f"trigger r: venue okx says {SHORT[letter].replace('_', ' ')}: upgrade"
    assert says(rule("venue"), f"oo{letter * 5}o") == [(2, words)]
    assert says(rule("venue"), "ooo") == []


def test_what_a_venue_says_keeps_persistence_cooldown_and_hysteresis() -> None:
    fired = [i for i, _ in says(rule("venue", persist_s=2), "momm" + "m")]
    assert fired == [4]
    assert [i for i, _ in says(rule("venue"), "mmomm")] == [0, 3]
    assert [i for i, _ in says(rule("venue", cooldown_s=5), "momomom")] == [0, 6]
    assert [i for i, _ in says(rule("venue", cooldown_s=3, repeat=True), "mmmmmm")] == [0, 3]


def test_a_status_that_is_not_known_neither_fires_nor_arms() -> None:
    assert says(rule("venue"), "o???") == []
    assert says(rule("venue"), "m??m") == [(0, UPGRADE)]
    assert says(rule("venue", persist_s=1), "m?m") == []


def test_what_was_told_last_counts_while_the_venue_cannot_be_read() -> None:
    assert [i for i, _ in says(rule("venue", persist_s=3), "mMmMmM")] == [3]
    assert [i for i, _ in says(rule("venue"), "mMmMom")] == [0, 5]
    assert says(rule("venue"), "m??MM") == [(0, UPGRADE)]


def test_it_fires_once_for_each_step_up_and_for_none_down() -> None:
    assert says(rule("venue"), "olllcmmclmlo") == [
        (1, "trigger r: venue okx says limited: upgrade"),
        (4, "trigger r: venue okx says cancel only: upgrade"),
        (5, UPGRADE),
        (9, UPGRADE),
    ]
    assert [i for i, _ in says(rule("venue", cooldown_s=9), "olmlmlmlml")] == [1, 2]
    assert [i for i, _ in says(rule("venue", persist_s=2), "olmmmmm")] == [3, 4]
    assert [i for i, _ in says(rule("venue", cooldown_s=3, repeat=True), "lmmmmmmm")] == [
        0,
        1,
        4,
        7,
    ]


def test_silence_is_watched_on_a_line_of_its_own() -> None:
    silent = "trigger r: venue okx 101 above 100"
    assert says(rule("venue"), "oooo", {2: 101}) == [(2, silent)]
    assert says(rule("venue"), "mm??", {2: 101}) == [(0, UPGRADE), (2, silent)]
    assert says(rule("venue"), "m", {0: 101}) == [(0, UPGRADE)]
    assert says(rule("venue", persist_s=1), "ommm", {0: 101, 1: 101}) == [(1, silent), (2, UPGRADE)]


def test_silence_does_not_tell_again_what_the_venue_has_said() -> None:
    silent = "trigger r: venue okx 101 above 100"
    ages = dict.fromkeys(range(2, 9), 101)
    assert says(rule("venue"), "mmMMMM", ages) == [(0, UPGRADE)]
    assert says(rule("venue"), "mmMMoo", ages) == [(0, UPGRADE), (4, silent)]
    assert says(rule("venue"), "oo?mm", ages) == [(2, silent), (3, UPGRADE)]


def test_a_rule_of_one_venue_hears_no_other() -> None:
    assert says(rule("venue", of="bybit"), "mm") == []
    assert says(rule("venue", of="okx"), "mm") == [(0, UPGRADE)]


def test_rules_on_other_figures_do_not_hear_venues() -> None:
    assert says(rule("drift"), "mm") == []


@pytest.mark.parametrize(
    ("on", "threshold", "than", "value", "clearly"),
    [
        ("utilisation", "1", "1.6", "1.66", False),
        ("utilisation", "1", "1.6", "1.67", True),
        ("utilisation", "1", "1.01", "1.06", False),
        ("utilisation", "1", "1.01", "1.07", True),
        ("utilisation", "1", "1.6", "1.2", False),
        ("margin_ratio", "1.5", "1.1", "1.03", False),
        ("margin_ratio", "1.5", "1.1", "1.02", True),
        ("margin_ratio", "1.5", "1.1", "1.4", False),
        ("pnl", "-500", "-600", "-630", True),
        ("drift", "0", "100", "109", False),
        ("drift", "0", "100", "111", True),
        ("drift", "0", "100", "100", False),
        ("drift", "0", "0", "0", False),
        ("pnl", "0", "-1", "-1", False),
        ("venue", "60", "61", "6000", False),
    ],
)
def test_a_figure_is_clearly_graver_by_a_tenth_of_the_way_beyond_the_threshold(
    on: str, threshold: str, than: str, value: str, clearly: bool
) -> None:
    rule = TriggerRule.model_validate({"id": "x", "on": on, "threshold": threshold})
    assert graver(rule, Decimal(value), Decimal(than)) == clearly
