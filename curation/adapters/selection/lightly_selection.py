"""A selection config as the hosted API spells it (version V4, as lightly 1.5.26 sends it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.selection_config import Entry, SelectionConfig

# All other names are the same on the wire, `stopping_condition_minimum_distance` too.
_ON_THE_WIRE = {
    "dataset_id": "datasetId",
    "tag_name": "tagName",
    "random_seed": "randomSeed",
    "num_nearest_neighbors": "numNearestNeighbors",
    "stopping_condition_minimum_typicality": "stoppingConditionMinimumTypicality",
    "stopping_condition_max_sum": "stoppingConditionMaxSum",
    "target_range": "targetRange",
    "min_sum": "minSum",
    "max_sum": "maxSum",
}


def wire_selection(config: SelectionConfig) -> dict[str, object]:
    """Returns the part `selection` of a worker config; what was left out, the service decides."""
    amount: dict[str, object] = (
        {"nSamples": config.n_samples}
        if config.n_samples
        else {"proportionSamples": config.proportion_samples}
    )
    strategies = [_entry(entry) for entry in config.strategies]
    return amount | {"strategies": strategies, "autoTasks": []}


def _entry(entry: Entry) -> dict[str, object]:
    return {
        name: _renamed(part.model_dump(mode="json", exclude_unset=True))
        for name, part in (("input", entry.input), ("strategy", entry.strategy))
    }


def _renamed(part: Mapping[str, object]) -> dict[str, object]:
    # Not within `target`: its names are the user's classes.
    return {
        _ON_THE_WIRE.get(name, name): _renamed(value)
        if name == "target_range" and isinstance(value, dict)
        else value
        for name, value in part.items()
    }
