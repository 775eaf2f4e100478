"""What our engine does not do of the selection config, it refuses; it ignores nothing."""

from __future__ import annotations

from typing import Any

import pytest

from curation.errors import RequestError
from curation.selection_config import parse_config
from curation.selection_support import check_engine, class_bounds, query_datapools

EMBEDDINGS = {"type": "EMBEDDINGS"}
SHARPNESS = {"type": "METADATA", "key": "sharpness"}
TIME = {"type": "METADATA", "key": "timestamp_s"}
SCORES = {"type": "SCORES", "task": "cars", "score": "entropy"}
PREDICTIONS = {"type": "PREDICTIONS", "task": "weather"}
THRESHOLD = {"type": "THRESHOLD", "threshold": 1, "operation": "BIGGER"}


@pytest.mark.parametrize(
    ("source", "strategy"),
    [
        (EMBEDDINGS, {"type": "DIVERSITY", "stopping_condition_minimum_distance": 0.1}),
        (EMBEDDINGS, {"type": "TYPICALITY", "num_nearest_neighbors": 5, "strength": -1}),
        (EMBEDDINGS | {"dataset_id": "traffic"}, {"type": "SIMILARITY"}),
        (SHARPNESS, {"type": "WEIGHTS"}),
        ({"type": "METADATA", "key": "lightly.luminance"}, {"type": "WEIGHTS"}),
        (
            {"type": "METADATA", "key": "timestamp_s"},
            {"type": "BALANCE", "distribution": "UNIFORM"},
        ),
        (SHARPNESS, {"type": "BALANCE", "target": {"-10..2.5": 0.5}}),
        ({"type": "RANDOM"}, {"type": "WEIGHTS"}),
    ],
)
def test_check_engine__does(source: dict[str, Any], strategy: dict[str, Any]) -> None:
    """Whatever passes is heeded."""
    check_engine(parse_config({"strategies": [{"input": source, "strategy": strategy}]}))


@pytest.mark.parametrize(
    ("source", "strategy", "expected"),
    [
        (SCORES, {"type": "WEIGHTS"}, "[0].input.type is SCORES, but the engine makes no predict"),
        (PREDICTIONS, THRESHOLD, "[0].input.type is PREDICTIONS, but the engine makes no"),
        (
            {"type": "METADATA", "key": "lightly.sharpnes"},
            {"type": "WEIGHTS"},
            (
                "[0].input.key is 'lightly.sharpnes'; the engine knows sharpness, luminance, "
                "timestamp_s of each frame. Did you mean 'sharpness'?"
            ),
        ),
        (EMBEDDINGS | {"task": "cars"}, {"type": "DIVERSITY"}, "the engine finds no objects"),
        (EMBEDDINGS, {"type": "SIMILARITY"}, "[0].input.dataset_id is missing"),
        (EMBEDDINGS | {"dataset_id": "x"}, {"type": "DIVERSITY"}, "only SIMILARITY takes one"),
        (
            EMBEDDINGS | {"dataset_id": "x", "tag_name": "initial-tag"},
            {"type": "SIMILARITY"},
            "a datapool has no tags",
        ),
        (SHARPNESS, {"type": "WEIGHTS", "stopping_condition_max_sum": 3}, "cannot stop by it"),
        (SHARPNESS, {"type": "WEIGHTS", "target_range": {"max_sum": 3}}, "cannot keep to it"),
        (
            EMBEDDINGS,
            {"type": "TYPICALITY", "stopping_condition_minimum_typicality": 0.3},
            "stopping_condition_minimum_typicality is 0.3; the engine cannot stop by it",
        ),
        (SHARPNESS, {"type": "BALANCE", "target": {"sunny": 0.5}}, "is written LOW..HIGH"),
        (SHARPNESS, {"type": "BALANCE", "target": {"5..5": 0.5}}, "is written LOW..HIGH"),
        (SHARPNESS, THRESHOLD, "has THRESHOLD alone"),
        (
            EMBEDDINGS,
            {"type": "DIVERSITY", "stopping_condition_minimum_distance": 2.5},
            "minimum_distance is 2.5, but no frames are farther from each other than 2",
        ),
        (
            {"type": "RANDOM", "random_seed": -3},
            {"type": "WEIGHTS"},
            "[0].input.random_seed is -3; the engine's dice take 0",
        ),
    ],
)
def test_check_engine__refuses(
    source: dict[str, Any], strategy: dict[str, Any], expected: str
) -> None:
    """What would have to be ignored is refused with a sentence that says where and why."""
    config = parse_config({"strategies": [{"input": source, "strategy": strategy}]})

    with pytest.raises(RequestError) as caught:
        check_engine(config)

    assert expected in caught.value.message
    assert caught.value.message.startswith("selection_config.strategies")
    assert caught.value.code == "request:selection-config"


def test_check_engine__refuses_two_diversities() -> None:
    """Two would hide which minimum distance holds."""
    entry = {"input": EMBEDDINGS, "strategy": {"type": "DIVERSITY"}}

    with pytest.raises(RequestError, match="has DIVERSITY twice"):
        check_engine(parse_config({"strategies": [entry, entry]}))


@pytest.mark.parametrize(
    ("name", "bounds"),
    [("0..60", (0, 60)), ("-1.5..2e3", (-1.5, 2000)), ("0..inf", (0, float("inf")))],
)
def test_class_bounds(name: str, bounds: tuple[float, float]) -> None:
    """A class of numbers is written with its bounds."""
    assert class_bounds(name) == bounds


def test_query_datapools__names_them() -> None:
    """The datapools to be like are known before anything is embedded."""
    config = parse_config(
        {
            "strategies": [
                {"input": EMBEDDINGS, "strategy": {"type": "DIVERSITY"}},
                {
                    "input": EMBEDDINGS | {"dataset_id": "traffic"},
                    "strategy": {"type": "SIMILARITY"},
                },
            ]
        }
    )

    assert query_datapools(config) == ["traffic"]
