"""Turns the flat hash of a run into its status object, and back where a record is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from curation.models import Request, Run, Selection
from curation.states import StepName, StepState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.models import Progress
    from curation.price import Price

_PLAIN_FIELDS = ("run_id", "state", "outcome", "resumed_from", "same_as")
_TIMES = ("created_at", "updated_at", "ended_at", "deadline_at")
_STEP_FIELDS = ("state", "attempts", "looks")
_STEP_TIMES = ("started_at", "ended_at")
_SELECTION_FIELDS = tuple(Selection.model_fields.keys() - {"backend", "progress"})


def to_run(
    fields: Mapping[str, str],
    instance_state: str | None,
    progress: Progress | None = None,
    price: Price | None = None,
) -> Run:
    """Returns the status object of a run.

    Args:
        fields: The run's hash, not empty.
        instance_state: State of its instance as last seen, if it has one.
        progress: How far the engine is with it, if it has begun.
        price: Of the instance, if it is known.
    """
    instance_id = fields.get("instance_id")
    return Run.model_validate(
        {name: fields.get(name) for name in _PLAIN_FIELDS}
        | {name: _time(fields.get(name)) for name in _TIMES}
        | {
            "idempotency_key": fields.get("idempotency_key") or None,
            "request": _request(fields),
            "steps": {name.value: _step(fields, name) for name in StepName},
            "video": _parsed(fields.get("video")),
            "instance": instance_id and {"instance_id": instance_id, "state": instance_state},
            "selection": _selection(fields) | {"progress": progress},
            "error": _parsed(fields.get("error")),
            "cost": _cost(fields, price),
        }
    )


def request_fields(request: Request) -> dict[str, str | float]:
    """Returns the hash fields of a request."""
    config = request.selection_config
    fields = request.model_dump(exclude={"selection_config"})
    if request.skip_curated:
        fields["skip_curated"] = 1
    return fields | ({"selection_config": json.dumps(config.to_dict())} if config else {})


def selection_fields(**facts: str | int | None) -> dict[str, str | int]:
    """Returns the hash fields for facts of `Selection`; None values are left out."""
    return {f"selection.{name}": value for name, value in facts.items() if value is not None}


def _request(fields: Mapping[str, str]) -> dict[str, Any]:
    return {
        "source": fields["source"],
        "proportion_samples": fields["proportion_samples"],
        "selection_backend": fields["selection_backend"],
        "selection_config": _parsed(fields.get("selection_config")),
        "skip_curated": fields.get("skip_curated", False),
    }


def _selection(fields: Mapping[str, str]) -> dict[str, Any]:
    known = {name: fields.get(f"selection.{name}") for name in _SELECTION_FIELDS}
    return known | {"backend": fields["selection_backend"]}


def _cost(fields: Mapping[str, str], price: Price | None) -> dict[str, Any]:
    seconds = fields.get("instance_seconds")
    if seconds is None or price is None:
        return {"instance_seconds": seconds}
    money, n_selected = price.of(float(seconds)), int(fields.get("selection.n_selected", "0"))
    return {
        "instance_seconds": seconds,
        "money": money,
        "currency": price.currency,
        "per_frame": money / n_selected if n_selected else None,
    }


def _step(fields: Mapping[str, str], name: StepName) -> dict[str, Any]:
    known: dict[str, Any] = {
        field: fields[f"{name}.{field}"] for field in _STEP_FIELDS if f"{name}.{field}" in fields
    }
    if known.get("state") == StepState.WAITING:
        # The next delivery makes both untrue.
        known["problem"] = fields.get(f"{name}.problem") or None
        known["due_at"] = _time(fields.get(f"{name}.due_at"))
    return known | {field: _time(fields.get(f"{name}.{field}")) for field in _STEP_TIMES}


def _parsed(text: str | None) -> Any:  # noqa: ANN401  # JSON; the model that takes it says what
    return json.loads(text) if text else None


def _time(text: str | None) -> float | None:
    return float(text) if text else None
