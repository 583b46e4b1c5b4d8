"""What the venue of a request says of it now, asked without leading and by reads alone.

A person ends what nobody could say of. The venue may answer again by then: what it surely tells is
held against the person's word, since a false one lets accounts act on figures that are not so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from allocator.execution.asking import LOOK_BACK
from allocator.execution.attempts import Attempt, quantity, sender, touched
from allocator.execution.history import History
from allocator.execution.manual import Figures, Verdict
from allocator.execution.transitions import State
from allocator.models.base import plain, stamp
from allocator.models.config import Config
from allocator.models.errors import AllocatorError, RefusedError
from allocator.models.intents import AbsentNow, Finding, Found
from allocator.service.bootstrap import open_look_ups

LOOK_S = 15.0
"""Seconds that the venue is given for all that is asked."""

MOST_AGE = timedelta(days=1)
"""How old a request may be for its absence to say anything: venues forget unfilled orders."""

UNFILLED = frozenset({State.CANCELLED, State.EXPIRED, State.NOT_EXECUTED})
"""What an order that ended with nothing filled may be called."""

ENDS: Mapping[str, frozenset[State]] = {
    "filled": frozenset({State.FILLED}),
    "cancelled": frozenset({State.CANCELLED, State.EXPIRED}),
    "settled": frozenset({State.SETTLED}),
    "returned": frozenset({State.RETURNED}),
}
"""The ends that each word of a venue means; what is not here has not ended."""

PRICE_SHARE, FEE_SHARE = Decimal("0.001"), Decimal("0.01")
"""Of a price and of a charge: by so much a person's may differ from the venue's by rounding."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a venue says of a request.

    Attributes
    ----------
    text
        In words.
    finding
        What it surely tells; None: it was not reached, or is not sure.
    """

    text: str
    finding: Found | AbsentNow | None = None


async def ask(config: Config, attempt: Attempt, history: History) -> Word:
    """Look a request up at its venue; whatever goes wrong is told and never raised."""
    name = sender(attempt.intent)
    if all(row.id != name for row in config.accounts):
        return Word(f"not reached: account {name} is not configured")
    try:
        async with open_look_ups(config, touched(attempt.intent)) as accounts:
            account = accounts[name]
            async with asyncio.timeout(LOOK_S):
                since = attempt.intent_at - LOOK_BACK
                finding = await account.find(attempt.intent, since, attempt.venue_id)
            if isinstance(finding, Found):
                finding = history.arrived(attempt.client_id, finding)
            return heard(attempt, finding, account.capabilities.read_lag_s)
    except TimeoutError:
        return Word(f"not reached: no answer in {LOOK_S:g} s")
    except AllocatorError as error:
        return Word(f"not reached: {' '.join(str(error).split())}")
    except Exception as error:  # noqa: BLE001 - a person's word must get through all the same
        return Word(f"not reached: the adapter failed: {type(error).__name__}")


def heard(attempt: Attempt, finding: Finding, read_lag_s: Decimal) -> Word:
    """Put what a look-up found into words, and tell whether it is sure.

    Parameters
    ----------
    read_lag_s
        Seconds after which the venue shows what it took.
    """
    if isinstance(finding, Found):
        return Word(_found(finding), finding)
    if not isinstance(finding, AbsentNow):
        return Word(f"unsure: {finding.why}")
    text = f"absent at {stamp(finding.venue_time)}"
    doubt = _doubt(attempt, finding, read_lag_s)
    return Word(f"unsure: {text}, but {doubt}") if doubt else Word(text, finding)


def _found(found: Found) -> str:
    return _figures(found.state, found.filled, found.average_price, found.fees)


def _figures(
    end: str, filled: Decimal, price: Decimal | None, paid: Mapping[str, Decimal] | None
) -> str:
    at = "" if price is None else f" at {plain(price)}"
    fees = ", ".join(f"{asset}={plain(amount)}" for asset, amount in sorted((paid or {}).items()))
    return f"{end}, {plain(filled)}{at}" + (f", fees {fees}" if fees else "")


def _doubt(attempt: Attempt, absent: AbsentNow, read_lag_s: Decimal) -> str:
    """Tell why an absence proves nothing; empty if it does."""
    if attempt.venue_id is not None:
        return f"it took it as {attempt.venue_id} and no longer shows it"
    if attempt.filled:
        return f"it told {plain(attempt.filled)} as filled before"
    if absent.venue_time < attempt.fence_at + timedelta(seconds=float(read_lag_s)):
        return "it may still show"
    if absent.venue_time > attempt.intent_at + MOST_AGE:
        return "it may have forgotten it"
    return ""


def held_against(attempt: Attempt, verdict: Verdict, word: Word, *, against: bool) -> str:
    """Hold what a person tells of a request's end against its venue's word.

    Parameters
    ----------
    against
        Whether the person's word counts though the venue's differs.

    Returns
    -------
    What the evidence has to say of it.

    Raises
    ------
    RefusedError
        When the order is open at the venue, or the venue surely tells another end, quantity,
        price or charges and `against` is not set.
    """
    found = word.finding
    if found is None:
        return f"not held against its venue: {word.text}"
    if isinstance(found, Found) and attempt.kind == "order" and found.state in ("open", "partial"):
        raise RefusedError(
            f"ORDER_OPEN: client_id={attempt.client_id}; its venue says: {word.text}; "
            "cancel it there first"
        )
    if _agree(attempt, verdict, found):
        return f"its venue says: {word.text}"
    if not against:
        raise RefusedError(
            f"VENUE_DIFFERS: client_id={attempt.client_id} "
            f"told={_figures(verdict.to, verdict.filled, verdict.price, verdict.fees)}; "
            f"its venue says: {word.text}; --against-venue ends it all the same"
        )
    return f"against its venue, which says: {word.text}"


def _agree(attempt: Attempt, verdict: Verdict, found: Found | AbsentNow) -> bool:
    """Tell whether a venue's word is a person's: what either does not tell is left out."""
    to, filled = verdict.to, verdict.filled
    if isinstance(found, AbsentNow):
        return not filled and to in UNFILLED | {State.RETURNED}
    price, known = verdict.price, found.average_price
    if price is not None and known is not None and not _reads_as(price, known, PRICE_SHARE):
        return False
    if verdict.fees and found.fees:
        told, charged = _charged(verdict.fees), _charged(found.fees)
        if told.keys() != charged.keys():
            return False
        if not all(_reads_as(paid, charged[asset], FEE_SHARE) for asset, paid in told.items()):
            return False
    return filled == found.filled and to in _ends(attempt, found)


def exact(attempt: Attempt, verdict: Verdict, word: Word) -> Verdict:
    """Add what the venue tells to what it bears out: its price, charges and deposits.

    These are kept in the place of a person's reading of them, and where there is none.
    """
    found = word.finding
    if not isinstance(found, Found) or not _agree(attempt, verdict, found):
        return verdict
    own = Figures(found.average_price, found.fees or None) if found.filled else Figures()
    return replace(verdict, arrivals=found.arrivals, venue=own)


def _charged(fees: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {asset: paid for asset, paid in fees.items() if paid}


def _reads_as(told: Decimal, known: Decimal, share: Decimal) -> bool:
    """Tell whether a person may have read a figure so: a venue's page shows it rounded.

    Parameters
    ----------
    share
        Of the figure, by which it may differ at the most.

    Examples
    --------
    >>> [_reads_as(Decimal(told), Decimal("50012.3333333"), PRICE_SHARE)
    ...  for told in ("50012.33", "50012.3333333", "50012", "50012.34", "50012.330")]
    [True, True, True, False, False]
    >>> _reads_as(Decimal(1), Decimal("0.6"), FEE_SHARE)
    False
    """
    exponent = told.as_tuple().exponent
    shown = min(exponent, 0) if isinstance(exponent, int) else 0
    return abs(told - known) <= min(Decimal((0, (5,), shown - 1)), share * abs(known))


def _ends(attempt: Attempt, found: Found) -> frozenset[State]:
    """Tell which ends mean what the venue says."""
    if attempt.kind == "move":
        # A move that was rejected is, to a person, one that was never made.
        settled = {"filled", "settled"}
        return (
            frozenset({State.SETTLED}) if found.state in settled
            else frozenset({State.NOT_EXECUTED}) if found.state == "rejected"
            else frozenset()
        )  # fmt: skip
    ends = ENDS.get(found.state, frozenset())
    if found.state == "cancelled" and not found.filled:
        return ends | UNFILLED
    if found.state == "cancelled" and found.filled == quantity(attempt.intent):
        return ends | {State.FILLED}
    return ends
