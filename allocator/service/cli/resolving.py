"""The resolve command: a request that nobody could say of is ended by a person's word."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from allocator.models.base import legible, plain, stamp
from allocator.models.errors import JournalError, RefusedError
from allocator.service.cli.codes import ExitCode
from allocator.service.cli.people import ConfigArgument, WhoOption, load, number, open_office

if TYPE_CHECKING:
    from allocator.execution.attempts import Attempt
    from allocator.execution.manual import Verdict
    from allocator.execution.office import Office
    from allocator.models.config import Config


class End(StrEnum):
    """How an attempt may have ended, by its kind."""

    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SETTLED = "settled"
    RETURNED = "returned"
    NOT_EXECUTED = "not_executed"


DOES_NOT = {
    End.FILLED: "does not fill",
    End.CANCELLED: "is not cancelled",
    End.EXPIRED: "does not expire",
    End.SETTLED: "does not settle",
    End.RETURNED: "does not come back",
}


def resolve(  # noqa: PLR0913 - each is an option of the command
    what: Annotated[
        str | None, typer.Argument(help="A request's client id, or account:NAME; none lists.")
    ] = None,
    *,
    config: ConfigArgument,
    end: Annotated[
        End | None,
        typer.Option(
            "--to", help="How the request ended; none asks its venue.", show_default=False
        ),
    ] = None,
    filled: Annotated[
        str, typer.Option(help="Contracts filled, or asset units that arrived.")
    ] = "0",
    price: Annotated[
        str | None, typer.Option(help="Average price of what was filled.", show_default=False)
    ] = None,
    fee: Annotated[
        list[str] | None,
        typer.Option(help="Charged for it, ASSET=AMOUNT; once an asset.", show_default=False),
    ] = None,
    against: Annotated[
        bool, typer.Option("--against-venue", help="End it though its venue says otherwise.")
    ] = False,
    who: WhoOption = "",
    evidence: Annotated[
        str, typer.Option(help="Where you saw it.", show_default=False, callback=legible)
    ] = "",
) -> None:
    """Tell how a request ended that nobody could say of, or let a frozen account act again.

    Its venue is asked first; without --to that is all, which ends with 5 if the venue cannot say.
    Price and fees are those of all that was filled: the venue's own where it agrees and tells
    them; what neither tells is allowed for. Ends with 6
    for a request that does not wait, without a name or evidence, if a figure does not go with the
    end, if the order is still open at its venue, or if the venue tells another end or figure.

    \b
    Example: allocator resolve ID -c config.yaml
    Example: allocator resolve ID -c config.yaml --to filled --filled 0.4 --price 49999.5
    --fee USDT=10 --as ann --evidence "order page"
    Example: allocator resolve account:okx-a -c config.yaml --as ann --evidence "ticket 4711"
    """  # noqa: D301
    if against and end is None:
        raise typer.BadParameter("goes with --to", param_hint="--against-venue")
    loaded = load(config)
    with open_office(loaded) as office:
        if what is None:
            _list_open(office)
        elif what.startswith("account:"):
            _thaw(office, what, who, evidence)
        elif end is None:
            _amount(filled)
            _ask(office, loaded, what)
        else:
            from allocator.execution.manual import Verdict
            from allocator.execution.transitions import State

            told = (_amount(filled), who, evidence, _price(price), _fees(fee))
            _resolve(office, loaded, what, Verdict(State(end.value), *told), against=against)


def _thaw(office: Office, what: str, who: str, evidence: str) -> None:
    account = what.removeprefix("account:")
    office.thaw(account, who, evidence)
    with office.write() as entry:
        entry.alert("thawed", account=account, evidence=evidence, who=who)
    print(f"{what}: may act again")


def _waiting(office: Office, client_id: str) -> Attempt:
    """Read a request that waits for somebody.

    Raises
    ------
    RefusedError
        When there is none of that id, or it does not wait.
    """
    found = office.history.attempt(client_id)
    if found is None:
        raise RefusedError(
            f"NOT_ASKED: client_id={client_id}: `allocator resolve` lists what waits for somebody"
        )
    waiting = {row.client_id for row in office.history.waiting()}
    if client_id not in waiting:
        raise RefusedError(f"NOT_MANUAL: client_id={client_id} state={found.state}")
    return found


def _ask(office: Office, config: Config, client_id: str) -> None:
    """Tell what the venue says of a request, and change nothing."""
    from allocator.execution.attempts import quantity, sender
    from allocator.service.venue_word import ask

    found = _waiting(office, client_id)
    asked = f"{found.kind} of {sender(found.intent)} for {plain(quantity(found.intent))}"
    print(f"{client_id}: {asked}; on record: {found.state}, {plain(found.filled)} filled")
    word = asyncio.run(ask(config, found, office.history))
    print(f"its venue says: {word.text}")
    print("nothing was changed; --to ends it")
    if word.finding is None:
        raise typer.Exit(ExitCode.STALE)


def _resolve(
    office: Office, config: Config, client_id: str, verdict: Verdict, *, against: bool
) -> None:
    from allocator.execution.entries import need_evidence
    from allocator.execution.manual import resolve as resolve_attempt
    from allocator.service.venue_word import ask, exact, held_against

    need_evidence(verdict.operator, verdict.evidence)
    found = _waiting(office, client_id)
    _check_end(found, verdict)
    word = asyncio.run(ask(config, found, office.history))
    print(f"its venue says: {word.text}", flush=True)
    noted = held_against(found, verdict, word, against=against)
    verdict = exact(found, verdict, word)
    verdict = replace(verdict, evidence=legible(f"{verdict.evidence}; {noted}"))
    try:
        ended = resolve_attempt(office, client_id, verdict)
    except JournalError as error:
        if str(error).startswith("NOT_MANUAL"):
            raise RefusedError(str(error)) from error  # somebody was quicker
        raise
    at = "" if ended.average_price is None else f" at {plain(ended.average_price)}"
    print(f"{client_id}: {ended.state}, {plain(ended.filled)}{at}")


def _check_end(attempt: Attempt, verdict: Verdict) -> None:
    """Refuse an end that this kind of request does not have.

    Raises
    ------
    RefusedError
        Naming those that it has.
    """
    from allocator.execution.transitions import State, successors

    ends = successors(attempt.kind, State.MANUAL)
    if verdict.to not in ends:
        kind = f"an {attempt.kind}" if attempt.kind == "order" else f"a {attempt.kind}"
        raise RefusedError(
            f"END_DIFFERS: {kind} {DOES_NOT[End(verdict.to.value)]}: tell {', '.join(sorted(ends))}"
        )


def _price(text: str | None) -> Decimal | None:
    return None if text is None else number(text, "--price")


def _fees(texts: Sequence[str] | None) -> dict[str, Decimal] | None:
    out = dict[str, Decimal]()
    for text in texts or ():
        asset, _, amount = text.partition("=")
        if not asset or asset in out:
            raise typer.BadParameter(f"not one ASSET=AMOUNT an asset: {text}", param_hint="--fee")
        out[asset] = number(amount, "--fee")
    return out or None


def _amount(text: str) -> Decimal:
    value = number(text, "--filled")
    if value < 0:
        raise typer.BadParameter(f"not an amount: {text}", param_hint="--filled")
    return value


def _list_open(office: Office) -> None:
    from allocator.service.cli.output import write_table

    rows = [
        (row.client_id, row.kind, stamp(row.intent_at), plain(row.filled), row.reason)
        for row in office.history.waiting()
    ]
    columns = ("client_id", "kind", "sent", "filled>", "why")
    write_table(columns, rows, title="Requests that wait for somebody")
    for account, why in office.history.frozen().items():
        print(f"frozen: {account}: {why}")
