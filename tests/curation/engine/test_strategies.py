"""Strategies become the numbers that the hosted service would make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from lightly_mundig import Similarity, Typicality

from curation.engine.greedy import View
from curation.engine.strategies import beyond_thresholds, objectives, typicality
from curation.errors import SelectionFailed
from curation.selection_config import parse_config
from tests.support.embeddings import directions, frames_of, nothing, scenes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from curation.engine.strategies import Objectives
    from curation.selection_config import SelectionConfig

    Rows = NDArray[np.float32]
    Part = Mapping[str, object]

EMBEDDINGS = {"type": "EMBEDDINGS"}
SHARPNESS = {"type": "METADATA", "key": "lightly.sharpness"}
LUMINANCE = {"type": "METADATA", "key": "luminance"}
VALUES = np.array([3, 1, 4, 1, 5, 9, 2, 6], np.float32)


def config(*strategies: tuple[Part, Part]) -> SelectionConfig:
    """Returns a config of pairs of input and strategy."""
    return parse_config(
        {"strategies": [{"input": one, "strategy": two} for one, two in strategies]}
    )


def wanted(rows: Rows, *strategies: tuple[Part, Part]) -> Objectives:
    """Returns the objectives of all rows."""
    columns = {"sharpness": VALUES, "luminance": VALUES} if len(rows) == len(VALUES) else {}
    return objectives(
        config(*strategies),
        frames_of(rows, **columns),
        np.arange(len(rows)),
        queries={"pool": directions(5, seed=9).astype(np.float16)},
        on_wait=nothing,
    )


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("SMALLER", [1, 3, 6]),
        ("SMALLER_EQUAL", [0, 1, 3, 6]),
        ("BIGGER", [2, 4, 5, 7]),
        ("BIGGER_EQUAL", [0, 2, 4, 5, 7]),
    ],
)
def test_beyond_thresholds__each_operation(operation: str, expected: list[int]) -> None:
    """The threshold itself belongs to the operations with EQUAL."""
    asked = config((SHARPNESS, {"type": "THRESHOLD", "threshold": 3, "operation": operation}))

    kept = beyond_thresholds(asked, frames_of(directions(8), sharpness=VALUES))

    assert np.flatnonzero(kept).tolist() == expected


def test_objectives__diversity_is_plain() -> None:
    """Diversity alone is the plain case, and its distance ends the choice."""
    found = wanted(
        directions(8),
        (EMBEDDINGS, {"type": "DIVERSITY", "stopping_condition_minimum_distance": 0.25}),
    )

    assert (found.is_plain, found.spreads, found.min_distance) == (True, True, 0.25)


def test_objectives__weights_are_not_negative() -> None:
    """Weights begin at 0, because the library ignores negative ones without a word."""
    frames = frames_of(directions(8), luminance=VALUES - 4)

    found = objectives(
        config((LUMINANCE, {"type": "WEIGHTS", "strength": 2.5})),
        frames,
        np.array([1, 5]),
        queries={},
        on_wait=nothing,
    )

    [(weights, strength)] = found.weights
    assert (weights.tolist(), strength) == ([0, 8], 2.5)
    assert not found.is_plain


def test_objectives__random_weights_repeat() -> None:
    """The same seed gives the same numbers, another one others."""
    seeds = (3, 3, 4)

    first, second, other = (
        wanted(directions(8), ({"type": "RANDOM", "random_seed": seed}, {"type": "WEIGHTS"}))
        for seed in seeds
    )

    assert first.weights[0][0].tolist() == second.weights[0][0].tolist()
    assert first.weights[0][0].tolist() != other.weights[0][0].tolist()


def test_objectives__a_number_that_is_none_is_refused() -> None:
    """The library would take it without a word."""
    frames = frames_of(directions(2), sharpness=np.array([1, np.nan], np.float32))

    with pytest.raises(SelectionFailed, match="sharpness of a frame is not finite"):
        beyond_thresholds(
            config((SHARPNESS, {"type": "THRESHOLD", "threshold": 1, "operation": "BIGGER"})),
            frames,
        )


def test_objectives__balance_with_a_target() -> None:
    """Each class has its share, and the others share what is left."""
    found = wanted(directions(8), (SHARPNESS, {"type": "BALANCE", "target": {"0..3": 0.7}}))

    [balance] = found.balances
    assert balance.classes[:, 0].tolist() == [0, 1, 0, 1, 0, 0, 1, 0]
    assert balance.classes.sum(axis=1).tolist() == [1] * 8
    assert balance.target == pytest.approx([0.7, 0.3])


@pytest.mark.parametrize("distribution", ["UNIFORM", "INPUT"])
def test_objectives__balance_without_a_target(distribution: str) -> None:
    """Ten classes between the least and the greatest: alike, or as they are there."""
    found = wanted(directions(8), (SHARPNESS, {"type": "BALANCE", "distribution": distribution}))

    [balance] = found.balances
    counts = balance.classes.sum(axis=0)
    assert counts.tolist() == [2, 1, 1, 1, 0, 1, 1, 0, 0, 1]
    shares = counts / 8 if distribution == "INPUT" else (counts > 0) / 7
    assert balance.target == pytest.approx(shares)


def test_objectives__similarity_is_that_of_the_library() -> None:
    """Whoever is nearer to a query counts more, by as much as the library says."""
    rows = directions(8)

    found = wanted(rows, ({**EMBEDDINGS, "dataset_id": "pool"}, {"type": "SIMILARITY"}))

    expected = Similarity(rows).calculate_similarity(directions(5, seed=9))
    assert found.weights[0][0] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("n_neighbours", [2, 20])
def test_typicality__ranks_as_the_library(n_neighbours: int) -> None:
    """Frames with many others nearby count more."""
    rows = np.concatenate([scenes(3, 40), directions(60, seed=3)])

    found = typicality(View.of_all(rows), n_neighbours, nothing)

    expected = np.array(Typicality(rows).calculate_typicality(n_neighbours))
    assert np.corrcoef(found, expected)[0, 1] > 0.99
    assert found[:120].min() > found[120:].max()


def test_typicality__of_one_frame() -> None:
    """A frame without any other is as typical as can be."""
    assert typicality(View.of_all(directions(1)), 20, nothing).tolist() == [1]


def test_typicality__of_many_frames() -> None:
    """With more frames than are compared, the crowded ones still count more."""
    rows = np.concatenate([scenes(40, 220), directions(200, seed=3)])

    found = typicality(View.of_all(rows), 5, nothing)

    assert found[:8800].mean() > 1.5 * found[8800:].mean()
