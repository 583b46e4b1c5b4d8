"""Approval limits that contradict one another are mistakes of the configuration."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from allocator.models.controls import ApprovalConfig


@pytest.mark.parametrize(("auto", "second"), [("100.01", "100"), ("0.01", None)])
def test_nobody_is_asked_of_no_plan_that_needs_two(auto: str, second: str | None) -> None:
    with pytest.raises(ValidationError, match="lower the one or raise the other"):
        ApprovalConfig.model_validate({"auto_below": auto, "second_above": second})


@pytest.mark.parametrize(
    ("auto", "second"), [("100", "100"), ("0", None), (None, "0"), (None, None)]
)
def test_limits_that_agree_are_taken(auto: str | None, second: str | None) -> None:
    ApprovalConfig.model_validate({"auto_below": auto, "second_above": second})
