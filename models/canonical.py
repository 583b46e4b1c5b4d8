"""Canonical JSON and the hashes of snapshot, mandate and plan (problem.md section 5).

Sorted keys, numbers as text without exponent or trailing zeros, times in UTC with Z, defaults
written out, lists of accounts, instruments and routes sorted by id. That an account was read is not
written out, so that snapshots of releases that could not say otherwise keep their hashes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from allocator.models.base import json_value
from allocator.models.mandate import Mandate
from allocator.models.plan import Plan
from allocator.models.snapshot import Snapshot

SORTED_BY_ID = ("accounts", "instruments", "routes")

BOUND = {"schema_", "status", "snapshot_hash", "mandate_hash", "actions"}
"""Fields of a plan that an approval binds."""


def canonical_json(data: Any) -> str:
    """Write plain JSON data with sorted keys and no spaces."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _digest(data: Any) -> str:
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()


def snapshot_data(snapshot: Snapshot) -> dict[str, Any]:
    """Turn a snapshot into canonical JSON data: order of the lists does not matter."""
    data: dict[str, Any] = json_value(snapshot)
    for key in SORTED_BY_ID:
        data[key] = sorted(data[key], key=lambda row: row["id"])
    data["moves"] = sorted(data["moves"], key=lambda r: (r["from"], r["to"], r["instrument"]))
    for account in data["accounts"]:
        account["spot"] = sorted(account["spot"])
        account["control_group"] = account["control_group"] or account["owner"]
    return data


def mandate_data(mandate: Mandate) -> dict[str, Any]:
    """Turn a mandate into canonical JSON data."""
    return _sorted_mandate(json_value(mandate))


def _sorted_mandate(data: dict[str, Any]) -> dict[str, Any]:
    data["targets"] = sorted(data["targets"], key=lambda row: row["underlying"])
    data["limits"] = sorted(data["limits"], key=lambda row: row["id"])
    return data


def snapshot_hash(snapshot: Snapshot) -> str:
    """Hash a snapshot (sha256, hex)."""
    return _digest(snapshot_data(snapshot))


def mandate_hash(mandate: Mandate) -> str:
    """Hash a mandate (sha256, hex)."""
    return _digest(mandate_data(mandate))


def mandate_text_hash(text: str) -> str:
    """Hash a mandate that was written as JSON, whatever fields its release knew (sha256, hex)."""
    return _digest(_sorted_mandate(json.loads(text)))


def plan_hash(plan: Plan) -> str:
    """Hash what an approval binds: schema, status, both input hashes and the actions."""
    return _digest(plan.model_dump(mode="json", by_alias=True, include=BOUND))


def with_hash(plan: Plan) -> Plan:
    """Give the plan its own hash."""
    return plan.model_copy(update={"plan_hash": plan_hash(plan)})
