"""The quality bench measures what it says."""

from __future__ import annotations

import numpy as np
import pytest

from bench.quality import measures, selectors
from bench.quality.sets import LabelledSet

# Three scenes on a line, the second a single frame; an event of three frames far away.
SPACE = np.array([[0], [1], [2], [50], [90], [91], [92], [100], [101]], np.float32)
LABELLED = LabelledSet("line", np.array([0, 0, 0, 1, -1, -1, -1, 2, 2]), events=[4])


@pytest.mark.parametrize(
    ("chosen", "coverage", "events", "radius", "near_duplicates"),
    [
        ([0, 3, 6, 8], 1.0, 1.0, 2.0, 0.0),
        ([0, 3, 8], 1.0, 0.0, 11.0, 0.0),
        ([0, 2, 4], 1 / 3, 1.0, 40.0, 0.0),
        ([1], 1 / 3, 0.0, 100.0, 0.0),
    ],
)
def test_score__of_a_choice_on_a_line(
    chosen: list[int], coverage: float, events: float, radius: float, near_duplicates: float
) -> None:
    """Scenes and events count when a frame of theirs is chosen; the radius is the worst frame's."""
    score = measures.score(np.array(chosen), LABELLED, SPACE)

    assert score.coverage == pytest.approx(coverage)
    assert score.events == events
    assert score.radius == pytest.approx(radius, abs=1e-3)
    assert 0 <= score.typical <= score.radius
    assert score.near_duplicates == near_duplicates


def test_near_duplicates__are_nearer_than_neighbours() -> None:
    """Chosen frames nearer than two frames in a row mostly are count, each of them."""
    space = np.array([[0], [4], [8], [12], [12.5], [30]], np.float32)

    assert measures.near_duplicates(np.array([0, 3, 4, 5]), space) == 0.5
    assert measures.near_duplicates(np.array([0, 3, 5]), space) == 0.0


def test_gain__is_the_share_of_the_way() -> None:
    """A random choice has gained nothing, the judge's own everything, a worse one less than 0."""
    gains = [measures.gain(radius, random=10.0, best=6.0) for radius in (10.0, 8.0, 6.0, 11.0)]

    assert gains == [0.0, 0.5, 1.0, -0.25]


def test_selectors__choose_as_many_as_they_are_told() -> None:
    """Every selector gives k different frames."""
    space = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    dice = np.random.default_rng(1)

    for k in (1, 7, 39):
        chosen = (
            selectors.at_random(40, k, dice),
            selectors.every_nth(40, k),
            selectors.shots(space, k),
            selectors.k_center(space, k),
        )
        assert [len(set(one.tolist())) for one in chosen] == [k] * 4


def test_shots__takes_the_middle_of_each() -> None:
    """A clear cut ends a shot."""
    space = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)

    assert selectors.shots(space, 3).tolist() == [10, 30, 50]
