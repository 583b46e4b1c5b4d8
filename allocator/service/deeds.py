"""What people do through the API or the dashboard, with its line in the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.models import api
from allocator.models.config import Config
from allocator.models.errors import RefusedError
from allocator.models.mandate import Mandate
from allocator.risk.approvals import Judged
from allocator.risk.breaker import Breaker
from allocator.service.cycles import request
from allocator.service.mandates import Seen
from allocator.service.scheduler.slot import Slot, executing
from allocator.service.snapshots import MissingError
from allocator.service.views import mandate_view, slot_view

if TYPE_CHECKING:
    from allocator.service.http.site import Site

EMPTY = Mandate()


def judge(site: Site, plan_hash: str, who: str, verdict: Judged, reason: str) -> api.PlanSummary:
    """Write down what somebody says of a plan.

    Raises
    ------
    MissingError
        When there is no such plan.
    RefusedError
        When it can no longer be approved (its snapshot is too old, another mandate holds or the one
        that does cannot be read, a venue has shut, it was rejected or begun, or needs nobody), this
        person may not, or not any more, or tells no reason.
    """
    need_reason(reason)
    found, _ = site.views.proposal(plan_hash)
    if verdict == "approved":
        site.service.mandates.check_holds(found.mandate, found.at)
        site.service.words.check(found.plan, found.snapshot, found.mandate)
        stands = site.views.standing(plan_hash)
        if stands.status in ("expired", "rejected"):
            raise RefusedError(
                f"PLAN_{stands.status.upper()}: plan_hash={plan_hash} "
                f"expires_at={stands.expires_at.isoformat()}"
            )
    site.service.office.judge(plan_hash, who, verdict, reason)
    if verdict == "approved":
        site.tokens.check_not_revoked(who, site.service.clock.now())
    return site.views.summary(plan_hash)


def need_reason(reason: str) -> None:
    """Refuse a verdict without a reason: whoever looks later has to see what it rested on.

    Raises
    ------
    RefusedError
        When none is told.
    """
    if not reason.strip():
        raise RefusedError("NO_REASON: a verdict needs a reason; it stands in the audit")


def retract(site: Site, plan_hash: str, who: str, reason: str) -> api.PlanSummary:
    """Take an approval of a plan back.

    Raises
    ------
    MissingError
        When there is no such plan.
    RefusedError
        When it has begun, or this person has not approved it.
    """
    site.views.proposal(plan_hash)
    site.service.office.retract(plan_hash, who, reason)
    return site.views.summary(plan_hash)


def execute(site: Site, plan_hash: str, who: str) -> api.SlotView:
    """Ask the leader to carry out a plan.

    Raises
    ------
    MissingError
        When there is no such plan.
    RefusedError
        When it may not go, has nothing to do, is for a mandate that no longer holds or cannot be
        read or a venue that has shut, or was asked for before.
    """
    service = site.service
    found, _ = site.views.proposal(plan_hash)
    if service.config.mode == "dry":
        raise RefusedError("DRY_RUN: mode dry sends nothing")
    if not found.plan.actions:
        raise RefusedError(f"NOTHING_TO_DO: plan_hash={plan_hash}")
    service.mandates.check_holds(found.mandate, found.at)
    service.words.check(found.plan, found.snapshot, found.mandate)
    stands = site.views.standing(plan_hash)
    if not stands.may_go:
        raise RefusedError(
            f"NOT_APPROVED: status={stands.status} needed={stands.needed} "
            f"approved_by={', '.join(stands.approvers) or 'nobody'}"
        )
    asked = request(who, "execute", service.clock.now(), plan_hash)
    if not (service.slots.add(asked) or service.slots.ask_again(asked)):
        raise RefusedError(f"ASKED_BEFORE: plan_hash={plan_hash}")
    service.office.note(f"plan:{plan_hash}", "execution asked for", by=who)
    service.wake()
    return _slot(site, asked.name)


def cancel(site: Site, plan_hash: str, who: str) -> api.SlotView:
    """Call back an execution that has not begun.

    Raises
    ------
    MissingError
        When nobody asked for it.
    RefusedError
        When it has begun.
    """
    service, name = site.service, executing(plan_hash)
    slot = service.slots.named(name)
    if slot is None:
        raise MissingError(f"NO_EXECUTION: plan_hash={plan_hash}")
    if not service.slots.call_back(slot, who, service.clock.now()):
        raise RefusedError(f"EXECUTION_BEGUN: plan_hash={plan_hash}; a halt stops what has begun")
    service.office.note(f"plan:{plan_hash}", "execution called back", by=who)
    return _slot(site, name)


def halt(site: Site, scope: str, state: Breaker, reason: str, who: str) -> None:
    """Stop everything, a venue or an account.

    Raises
    ------
    RefusedError
        For a venue or an account that the configuration does not have, or without a reason.
    """
    check_known(site.service.config, scope)
    site.service.office.trip(scope, state, reason, who)


def check_known(config: Config, scope: str) -> None:
    """Refuse to halt what is not there: whoever mistypes a name would believe it halted.

    Raises
    ------
    RefusedError
        When the configuration has no such venue or account.
    """
    venues = {f"venue:{row.venue}" for row in config.logins.values()}
    known = {"global", *venues, *(f"account:{row.id}" for row in config.accounts)}
    if ":" in scope and scope not in known and scope.partition(":")[2]:
        raise RefusedError(f"NOT_KNOWN: scope={scope} known={', '.join(sorted(known))}")


def run_now(site: Site, schedule: str, who: str) -> api.SlotView:
    """Ask for a cycle now; one that this person asked for and that has not begun is the same.

    It reads the book as it begins. Each on its own, many would keep the schedules waiting until
    they are missed.

    Raises
    ------
    MissingError
        When there is no such schedule.
    RefusedError
        When it is paused.
    """
    _known(site, schedule)
    paused = site.service.slots.paused().get(schedule)
    if paused is not None:
        raise RefusedError(f"SCHEDULE_PAUSED: id={schedule} by={paused}; resume it first")
    asked = site.service.slots.add_one(request(who, "plan", site.service.clock.now()))
    site.service.wake()
    return slot_view(asked)


def pause(site: Site, schedule: str, who: str, reason: str) -> tuple[api.ScheduleView, ...]:
    """Let a schedule rest.

    Raises
    ------
    MissingError
        When there is no such schedule.
    """
    _known(site, schedule)
    service = site.service
    service.slots.pause(schedule, who, reason, service.clock.now())
    with service.office.write() as entry:
        entry.event(f"schedule:{schedule}", "paused", by=who, reason=reason)
        entry.alert("schedule_paused", schedule=schedule, by=who, reason=reason)
    return site.views.schedules()


def unpause(site: Site, schedule: str, who: str) -> tuple[api.ScheduleView, ...]:
    """Let a paused schedule go on.

    Raises
    ------
    MissingError
        When there is no such schedule.
    """
    _known(site, schedule)
    site.service.slots.resume(schedule, site.service.clock.now())
    site.service.office.note(f"schedule:{schedule}", "resumed", by=who)
    return site.views.schedules()


def draft(site: Site, mandate: Mandate, who: str, note: str) -> api.MandateView:
    """Write a draft of the mandate down.

    Raises
    ------
    SnapshotError, ConfigError
        When it does not fit the book.
    """
    service = site.service
    return mandate_view(service.mandates.draft(mandate, who, note, service.clock.now()))


def publish(site: Site, version: int, who: str, seen: Seen | None = None) -> api.MandateView:
    """Let a draft of the mandate hold from the next cycle on.

    Raises
    ------
    MissingError
        When there never was such a version.
    RefusedError
        When it is no draft (any longer), it or what holds is not what was shown, or its author
        publishes it where four eyes are wanted.
    SnapshotError, ConfigError
        When it does not fit the book as it is by now.
    """
    service = site.service
    return mandate_view(service.mandates.publish(version, who, service.clock.now(), seen))


def _known(site: Site, schedule: str) -> None:
    if schedule not in {row.id for row in site.service.config.service.schedules}:
        raise MissingError(f"NO_SCHEDULE: id={schedule}")


def _slot(site: Site, name: str) -> api.SlotView:
    found: Slot | None = site.service.slots.named(name)
    assert found is not None
    return slot_view(found)
