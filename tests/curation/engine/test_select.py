"""The right number of different frames is chosen, each the farthest from those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.engine.choose import choose
from curation.engine.select import _choose, n_to_select, select_frames
from curation.errors import RequestError, RunEnded, SelectionFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Embeddings = NDArray[np.float32]


def nothing() -> None:
    """Waits in silence."""


def directions(n: int, *, seed: int = 0, size: int = 32) -> Embeddings:
    """Returns n random directions, shape (n, size)."""
    rows = np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


@pytest.mark.parametrize(
    ("n_frames", "proportion", "expected"),
    [
        (250, 0.1, 25),
        (1, 0.1, 1),
        (4, 0.1, 1),
        (15, 0.1, 2),
        (14, 0.1, 1),
        (25, 0.1, 3),
        (50, 0.29, 15),
        (3, 1.0, 3),
        (100_000, 1e-06, 1),
    ],
)
def test_n_to_select__rounds_half_up(n_frames: int, proportion: float, expected: int) -> None:
    """The share is rounded half up as in decimal, and one frame is always chosen."""
    assert n_to_select(n_frames, proportion) == expected


@given(n=st.integers(1, 500_000), proportion=st.floats(0, 1, exclude_min=True))
def test_n_to_select__is_between_one_and_all(n: int, proportion: float) -> None:
    """No share chooses none, or more than there are."""
    assert 1 <= n_to_select(n, proportion) <= n


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 60),
    n_distinct=st.integers(1, 60),
    seed=st.integers(0, 2**16),
    shares=st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_choose__a_larger_choice_contains_the_smaller_one(
    n: int, n_distinct: int, seed: int, shares: tuple[int, int]
) -> None:
    """Whoever asks for more gets the same frames first, duplicates among the frames or not."""
    rows = directions(n_distinct, seed=seed)[np.arange(n) % n_distinct]
    small, large = sorted(min(share, n) for share in shares)

    assert choose(rows, small) == choose(rows, large)[:small]


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 60), seed=st.integers(0, 2**16))
def test_choose__takes_the_farthest_each_time(n: int, seed: int) -> None:
    """Each choice is as far from all before it as any other frame could be (greedy k-center)."""
    rows = directions(n, seed=seed)

    chosen = choose(rows, n)

    assert sorted(chosen) == list(range(n))
    assert chosen[0] == 0
    for position in range(1, n):
        before = rows[chosen[:position]]
        distances = np.linalg.norm(rows[:, np.newaxis] - before, axis=2).min(axis=1)
        assert distances[chosen[position]] == pytest.approx(distances.max(), abs=1e-4)


def test_select_frames__is_the_same_each_time_and_grows_at_its_end() -> None:
    """The same embeddings give the same frames, and a larger share only adds to them."""
    rows = directions(400)

    first, second, more = (select_frames(rows, share, on_wait=nothing) for share in (0.1, 0.1, 0.3))

    assert first.dtype == np.int64
    assert len(set(first.tolist())) == 40
    assert first.tolist() == second.tolist()
    assert first.tolist() == more[:40].tolist()


def test_select_frames__chooses_among_equals() -> None:
    """Frames that are all alike are still chosen once each."""
    rows = np.repeat(directions(1), 30, axis=0)

    assert sorted(select_frames(rows, 1.0, on_wait=nothing).tolist()) == list(range(30))


@pytest.mark.parametrize("proportion", [0.0, -0.1, 1.01, float("nan")])
def test_select_frames__refuses_an_impossible_share(proportion: float) -> None:
    """The share is above 0 and at most 1."""
    with pytest.raises(RequestError, match="proportion_samples is") as caught:
        select_frames(directions(5), proportion, on_wait=nothing)

    assert caught.value.code == "request:proportion"


@pytest.mark.parametrize("shape", [(0, 32), (5, 0), (5,)])
def test_select_frames__refuses_what_is_not_rows(shape: tuple[int, ...]) -> None:
    """There must be frames, each with an embedding."""
    with pytest.raises(RequestError, match="There is nothing to select from"):
        select_frames(np.zeros(shape, np.float32), 0.5, on_wait=nothing)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_select_frames__refuses_what_is_not_a_number(value: float) -> None:
    """The library would take such a row without a word."""
    rows = directions(5)
    rows[3, 1] = value

    with pytest.raises(SelectionFailed, match="not finite"):
        select_frames(rows, 0.5, on_wait=nothing)


def test_select_frames__ends_when_the_waiting_ends() -> None:
    """A run that is canceled meanwhile leaves no process behind."""
    before = psutil.Process().children()

    def canceled() -> None:
        raise RunEnded("The run was canceled.")

    with pytest.raises(RunEnded):
        select_frames(directions(3_000, size=1280), 1.0, on_wait=canceled)

    assert psutil.Process().children() == before


def test_choose__tells_why_its_process_ended() -> None:
    """What the process said last is in the error."""
    with pytest.raises(SelectionFailed, match=r"code 1: .*n_samples_to_select") as caught:
        _choose(directions(2), -1, nothing)

    assert caught.value.code == "engine:selection"
