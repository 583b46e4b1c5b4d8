"""What the what-if form asks: a few common fields, and the parts of a scenario file as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from allocator.models import bodies
from allocator.models.errors import InputError, Problem
from allocator.service.http.cases import case_of


def case_asked(form: Mapping[str, str]) -> bodies.Case:
    """Read the form: empty fields change nothing; what the text says comes after the fields.

    Raises
    ------
    InputError
        When the text is no part of a scenario.
    """
    told = case_of(form.get("scenario", ""))
    shocks = [row for row in (_shock(form), *_several(told.get("shock"))) if row != {}]
    override = told.get("override") or {}
    if form.get("buffer"):
        override = {"mandate.policy.margin_buffer": form["buffer"], **override}
    parts = {"shock": shocks, "override": override, "expect": told.get("expect") or {}}
    name = form.get("name") or told.get("name") or "what if"
    try:
        return bodies.Case.model_validate({"name": name, **parts})
    except ValidationError as error:
        rows = error.errors(include_url=False)
        raise InputError([Problem(tuple(r["loc"]), r["msg"]) for r in rows]) from error


def _several(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [] if told is None else [told]


def _shock(form: Mapping[str, str]) -> dict[str, Any]:
    prices = {
        key.removeprefix("price:"): f"{value.removesuffix('%')}%"
        for key, value in form.items()
        if key.startswith("price:") and value
    }
    shock: dict[str, Any] = {}
    if prices:
        shock["prices"] = prices
    if form.get("volatility"):
        shock["volatility"] = {"multiply": form["volatility"]}
    if form.get("halted"):
        shock["venues"] = {form["halted"]: {"withdrawals": "halted"}}
    return shock
