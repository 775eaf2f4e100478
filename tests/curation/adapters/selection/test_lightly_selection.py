"""A selection config is told to the hosted service in the words of its own client."""

from __future__ import annotations

import pytest
from lightly.openapi_generated.swagger_client.models import SelectionConfigV4

from curation.adapters.selection.lightly_selection import wire_selection
from curation.selection_config import diverse, parse_config

CONFIG = {
    "n_samples": 50,
    "strategies": [
        {
            "input": {"type": "EMBEDDINGS"},
            "strategy": {"type": "DIVERSITY", "stopping_condition_minimum_distance": 0.2},
        },
        {
            "input": {"type": "EMBEDDINGS", "dataset_id": "0" * 24, "tag_name": "initial-tag"},
            "strategy": {"type": "SIMILARITY", "strength": 2.0},
        },
        {
            "input": {"type": "EMBEDDINGS"},
            "strategy": {"type": "TYPICALITY", "num_nearest_neighbors": 5},
        },
        {
            "input": {"type": "METADATA", "key": "lightly.sharpness"},
            "strategy": {"type": "THRESHOLD", "threshold": 20.0, "operation": "BIGGER"},
        },
        {
            "input": {"type": "PREDICTIONS", "task": "weather", "name": "CLASS_DISTRIBUTION"},
            "strategy": {"type": "BALANCE", "target": {"max_sum": 0.2, "sunny": 0.3}},
        },
        {
            "input": {"type": "SCORES", "task": "cars", "score": "uncertainty"},
            "strategy": {"type": "WEIGHTS", "target_range": {"max_sum": 3.0}},
        },
        {"input": {"type": "RANDOM", "random_seed": 3}, "strategy": {"type": "WEIGHTS"}},
    ],
}


@pytest.mark.parametrize("config", [parse_config(CONFIG), diverse(0.1)])
def test_wire_selection__is_what_the_client_understands(config: object) -> None:
    """The client reads every part of it, and would send exactly this."""
    ours = wire_selection(parse_config(config))

    theirs = SelectionConfigV4.from_dict(ours)

    assert theirs.to_dict(by_alias=True) == ours


def test_wire_selection__keeps_the_names_of_classes() -> None:
    """A class may be called as a field is."""
    strategies = wire_selection(parse_config(CONFIG))["strategies"]

    assert isinstance(strategies, list)
    assert strategies[4]["strategy"]["target"] == {"max_sum": 0.2, "sunny": 0.3}
