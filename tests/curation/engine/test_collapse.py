"""What is left out has its like among what stays."""

from __future__ import annotations

import numpy as np
import pytest

from curation.engine.collapse import collapse
from curation.engine.greedy import View, nearest, to_distance
from tests.support.embeddings import directions, nothing, scenes

SAME = np.zeros(1200, np.float32)


def test_collapse__keeps_a_like_of_each_row() -> None:
    """Every row has one that stays within the distance that is told."""
    rows = View.of_all(scenes(30, 40))

    stays, gap = collapse(rows, 300, SAME, nothing)

    farthest = to_distance(nearest(rows, rows.take(stays), nothing)[0]).max()
    assert 300 <= len(stays) <= 310
    assert 0 < farthest <= gap + 1e-3


def test_collapse__motion_keeps_more_than_rest() -> None:
    """A part in which much happens keeps more of its rows."""
    rest, motion = scenes(1, 600), directions(600, seed=5)

    stays, _ = collapse(View.of_all(np.concatenate([rest, motion])), 620, SAME, nothing)

    assert (stays >= 600).sum() == 600


def test_collapse__of_rows_alike_the_best_stays() -> None:
    """Of a group, the row with the highest score stays for all of them."""
    rows = View.of_all(scenes(30, 40))
    score = np.random.default_rng(0).random(1200).astype(np.float32)

    stays, gap = collapse(rows, 32, score, nothing)

    best = [40 * scene + int(score[40 * scene : 40 * scene + 40].argmax()) for scene in range(30)]
    # The two scenes that lie across the borders of blocks stay twice.
    assert set(best) - set(stays.tolist()) == set()
    assert to_distance(nearest(rows, rows.take(stays), nothing)[0]).max() <= gap + 1e-3


def test_collapse__is_in_the_order_of_the_video() -> None:
    """What stays is ascending, each row once."""
    stays, _ = collapse(View.of_all(directions(1200)), 900, SAME, nothing)

    assert stays.tolist() == sorted(set(stays.tolist()))


@pytest.mark.parametrize("n_left", [3, 1200])
def test_collapse__every_block_keeps_one(n_left: int) -> None:
    """There is nothing whose like is not there, however few are to stay."""
    rows = View.of_all(np.repeat(directions(1), 1200, axis=0))

    stays, gap = collapse(rows, n_left, SAME, nothing)

    assert {row // 512 for row in stays.tolist()} == {0, 1, 2}
    assert gap == pytest.approx(0, abs=2e-3)
