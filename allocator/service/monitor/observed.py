"""What triggers watch, from the figures of one moment; pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from allocator.models.base import ZERO
from allocator.risk.triggers import Observation
from allocator.service.monitor.marks import BEYOND, AccountMark, Marks


def observation(
    marks: Marks,
    *,
    rates: Mapping[str, Decimal],
    day_start: Decimal | None,
    fallen: Decimal | None,
    venue_ages_s: Mapping[str, Decimal],
) -> Observation:
    """Turn marks into the figures that triggers watch.

    Parameters
    ----------
    rates
        Funding rates that a jump is reckoned from, by instrument.
    day_start
        Profit of the book since midnight UTC, numeraire; None: not known.
    fallen
        Fraction of the book's highest equity that is gone; None: not known.
    venue_ages_s
        Seconds since each venue was last read whole.
    """
    shares = dict[str, Decimal | None]()
    for row in marks.limits:
        held = shares.get(row.limit)
        if row.share is not None and (held is None or row.share > held):
            shares[row.limit] = row.share
    return Observation(
        marks.at,
        {
            "drift": {row.underlying: row.beyond for row in marks.exposures},
            "margin_ratio": {row.account: _safe(row, row.ratio) for row in marks.accounts},
            "liquidation_distance": {
                row.account: _safe(row, row.distance) for row in marks.accounts
            },
            "pnl": {"book": day_start},
            "drawdown": {"book": fallen},
            "utilisation": shares,
            "venue": dict(venue_ages_s),
            "funding": {
                name: abs(rate - rates[name])
                for name, rate in marks.funding.items()
                if name in rates
            },
        },
        marks.statuses,
        {
            "margin_ratio": {row.account: row.ratio_at_most for row in marks.accounts},
            "liquidation_distance": {row.account: row.distance_at_most for row in marks.accounts},
        },
    )


def drawdown(worth: Decimal | None, highest: Decimal | None, under_way: Decimal) -> Decimal | None:
    """Tell which fraction of the book's highest equity is gone; None: not known.

    Parameters
    ----------
    under_way
        What may be on its way between accounts, and so in no wallet, numeraire.
    """
    if worth is None or highest is None or highest <= 0:
        return None
    return max(ZERO, (highest - worth - under_way) / highest)


def _safe(row: AccountMark, figure: Decimal | None) -> Decimal | None:
    """Tell the figure of an account that was read; of one that nothing can liquidate a high one.

    That is known: a trigger that has fired on such an account arms again. None: it is not known.
    """
    return BEYOND if figure is None and not row.margin_unknown else figure
