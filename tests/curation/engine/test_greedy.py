"""The lazy k-center chooses what the plain one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.engine.greedy import View, k_center, nearest, to_distance, to_similarity, unit
from curation.errors import RunEnded
from tests.support.embeddings import directions, nothing, scenes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]


def choose(rows: Rows, n: int, **rest: object) -> tuple[list[int], list[float]]:
    """Returns the choice as lists."""
    order, distances = k_center(View.of_all(rows), n, on_wait=nothing, **rest)  # type: ignore[arg-type]  # as a caller would
    return order.tolist(), distances.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_k_center__takes_the_farthest_each_time(seed: int) -> None:
    """Each choice is as far from all before it as any other row could be, over many rounds."""
    rows = scenes(250, 6, seed=seed) if seed % 2 else directions(1500, seed=seed)

    order, distances = choose(rows, 700)

    assert order[0] == 0
    assert len(set(order)) == 700
    apart = np.linalg.norm(rows - rows[0], axis=1)
    for position in range(1, 700):
        assert apart[order[position]] == pytest.approx(apart.max(), abs=1e-3)
        assert distances[position] == pytest.approx(apart.max(), abs=1e-3)
        apart = np.minimum(apart, np.linalg.norm(rows - rows[order[position]], axis=1))


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 60),
    n_distinct=st.integers(1, 60),
    seed=st.integers(0, 2**16),
    shares=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_k_center__a_larger_choice_contains_the_smaller_one(
    n: int, n_distinct: int, seed: int, shares: tuple[int, int]
) -> None:
    """Whoever asks for more gets the same rows first, and no row twice."""
    rows = directions(n_distinct, seed=seed)[np.arange(n) % n_distinct]
    small, large = sorted(min(share, n) for share in shares)

    more = choose(rows, large)[0]

    assert choose(rows, small)[0] == more[:small]
    assert len(set(more)) == large


def test_k_center__begins_far_from_what_is_known() -> None:
    """What was chosen before counts as if it had been chosen first."""
    rows = directions(80)
    known = nearest(View.of_all(rows), View.of_all(rows[:3]), nothing)[0]

    order, distances = choose(rows, 10, known=known)

    apart = np.linalg.norm(rows[:, np.newaxis] - rows[:3], axis=2).min(axis=1)
    assert order[0] == apart.argmax()
    assert distances[0] == pytest.approx(apart.max(), abs=1e-3)
    assert not {0, 1, 2} & set(order)


def test_k_center__ends_at_the_minimum_distance() -> None:
    """What is nearer than the minimum distance to a chosen row is left out."""
    rows = scenes(7, 12)

    order, distances = choose(rows, 84, min_distance=0.3)

    assert sorted(row // 12 for row in order) == list(range(7))
    assert min(distances) >= 0.3


def test_k_center__is_interrupted() -> None:
    """A run that is canceled meanwhile ends the work."""

    def canceled() -> None:
        raise RunEnded("The run was canceled.")

    with pytest.raises(RunEnded):
        k_center(View.of_all(directions(50)), 5, on_wait=canceled)


def test_unit__a_row_of_zeros_has_a_direction() -> None:
    """Black pictures without features are all alike, rather than far from each other."""
    rows = np.zeros((3, 4), np.float16)
    rows[1, 0] = 7

    found = unit(rows)

    assert np.linalg.norm(found, axis=1) == pytest.approx(1)
    assert found[0].tolist() == found[2].tolist()


def test_to_distance__is_that_of_directions() -> None:
    """Similarity and distance are two words for one thing."""
    similarity = np.array([1.0, 0.5, 0.0, -1.0], np.float32)

    assert to_distance(similarity) == pytest.approx([0, 1, 2**0.5, 2])
    assert [to_similarity(value) for value in (0, 1, 2)] == [1, 0.5, -1]


def test_nearest__in_blocks() -> None:
    """However many rows there are, each finds its nearest."""
    rows, others = directions(9000), directions(5000, seed=1)

    similarity, which = nearest(View.of_all(rows), View.of_all(others), nothing)

    assert which.tolist() == (rows @ others.T).argmax(axis=1).tolist()
    assert similarity == pytest.approx((rows @ others.T).max(axis=1), abs=1e-6)
