"""A token that ends while something is done with it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from tests.service.sites import Place


def test_approval_under_a_token_that_is_revoked_meanwhile_does_not_count(place: Place) -> None:
    plan = place.gather("0.2").plan_hash
    engine, seen = place.service.engine, list[str]()

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not seen and "FROM proposal" in statement:
            seen.append("plan")

    def between(*_connection: Any) -> None:
        # The request has shown its token and read what it is about; it waits to write.
        if seen == ["plan"]:
            seen.append("revoked")
            place.site.tokens.revoke("alice", place.clock.now())

    event.listen(engine, "after_cursor_execute", note)
    event.listen(engine, "checkin", between)
    told = place.post(f"/v1/plans/{plan}/approve", {"reason": "fine"})
    event.remove(engine, "checkin", between)
    event.remove(engine, "after_cursor_execute", note)
    assert seen == ["plan", "revoked"]
    assert (told.status_code, told.json()["code"]) == (409, "TOKEN_REVOKED")
    (shown,) = [row for row in place.site.views.plans(9) if row.plan_hash == plan]
    assert shown.approval == "waiting"
    assert [row.verdict for row in shown.verdicts] == ["retracted"]
    said = [(row.what, row.subject) for row in place.site.views.events(0, 1000)][-2:]
    subject = f"verdict:{plan}:alice"
    assert said == [("approved", subject), ("retracted", subject)]
