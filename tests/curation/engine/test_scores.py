from __future__ import annotations

import numpy as np
import pytest

from curation.engine.scores import Scores, compare

# Three directions: one of 50 frames, one of 49, one of a single frame.
CORNERS = np.eye(3, dtype=np.float16)[np.repeat([0, 1, 2], [50, 49, 1])]


def test_compare__sees_the_rare_one() -> None:
    """A choice with one frame of each kind leaves no distance; simple choices miss the rare one."""
    scores = compare(CORNERS, np.arange(100), np.array([0, 50, 99]))

    assert scores["chosen"] == Scores(0.0, 0.0, 0.0)
    assert scores["every_nth"].covering_radius == pytest.approx(2**0.5, abs=0.001)
    assert set(scores) == {"chosen", "every_nth", "random"}


def test_compare__counts_near_duplicates() -> None:
    """Chosen frames that are nearer than two consecutive frames usually are count as duplicates."""
    angles = np.arange(100) / 100
    turning = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)
    turning[1] = turning[0]

    scores = compare(turning, np.arange(100), np.array([0, 1, 50, 99]))

    assert scores["chosen"].near_duplicates == 0.5


def test_compare__is_the_same_each_time_and_bears_few_frames() -> None:
    """The random choice has a fixed seed; one frame, and no choice, are no special case."""
    assert compare(CORNERS, np.arange(100), np.array([3])) == compare(
        CORNERS, np.arange(100), np.array([3])
    )
    assert compare(CORNERS, np.array([7]), np.array([7]))["random"] == Scores(0.0, 0.0, 0.0)
    assert compare(CORNERS, np.arange(100), np.empty(0, np.int64)) == {}
