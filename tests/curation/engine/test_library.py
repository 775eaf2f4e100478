"""The library is asked in a process of its own, and its answer is not believed unseen."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.engine import library, library_process
from curation.engine.greedy import View, k_center
from curation.engine.strategies import Balancing, Objectives
from curation.errors import RunEnded, SelectionFailed
from curation.selection_config import Diversity
from tests.support.embeddings import directions, nothing, scenes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

DIVERSE = Objectives(Diversity(type="DIVERSITY"), [], [])


def task(
    rows: Rows, n: int, objectives: Objectives = DIVERSE, chosen_before: Rows | None = None
) -> library.Task:
    """Returns a question about rows."""
    return library.Task(View.of_all(rows), objectives, chosen_before, n)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 60), seed=st.integers(0, 2**16))
def test_library__chooses_as_our_own_k_center(n: int, seed: int) -> None:
    """Diversity alone is greedy k-center, so a long video is chosen from as a short one is."""
    rows = directions(n, seed=seed)
    question: library_process.Question = {
        "n_rows": n,
        "n_before": 0,
        "n": n,
        "n_features": 32,
        "diversity": {"strength": 1.0, "min_distance": None},
        "weights": [],
        "balances": [],
    }

    chosen = library_process.choose(question, io.BytesIO(rows.tobytes()))

    assert chosen == k_center(View.of_all(rows), n, on_wait=nothing)[0].tolist()


def test_choose__what_was_chosen_before_is_shunned_and_not_counted() -> None:
    """As many as asked for are chosen, far from what was chosen before."""
    rows = scenes(10, 5)

    chosen = library.choose(task(rows, 4, chosen_before=rows[:30:5]), nothing)

    assert len(chosen) == 4
    assert {index // 5 for index in chosen.tolist()} == {6, 7, 8, 9}


def test_choose__all_objectives_at_once() -> None:
    """Diversity, weights and a balance are all heard, with something chosen before beside them."""
    rows, dice = directions(200), np.random.default_rng(0)
    weights = dice.random(200).astype(np.float32)
    is_dark = dice.random(200) < 0.2
    balance = Balancing(
        np.stack([is_dark, ~is_dark], axis=1).astype(np.float32),
        np.array([0.5, 0.5], np.float32),
        1,
    )
    wanted = Objectives(Diversity(type="DIVERSITY"), [(weights, 1.0)], [balance])

    chosen = library.choose(task(rows, 40, wanted, chosen_before=directions(3, seed=1)), nothing)

    assert len(set(chosen.tolist())) == 40
    assert is_dark[chosen].mean() == pytest.approx(0.5, abs=0.1)
    assert weights[chosen].mean() > 0.6


def test_choose__ends_at_the_minimum_distance() -> None:
    """Fewer than asked for are chosen when the others are too near."""
    wanted = Objectives(
        Diversity(type="DIVERSITY", stopping_condition_minimum_distance=0.3), [], []
    )

    chosen = library.choose(task(scenes(6, 5), 20, wanted), nothing)

    assert sorted(index // 5 for index in chosen.tolist()) == list(range(6))


def test_choose__ends_when_the_waiting_ends() -> None:
    """A run that is canceled meanwhile leaves no process behind."""
    before = psutil.Process().children()

    def canceled() -> None:
        for child in set(psutil.Process().children()) - set(before):
            child.suspend()  # only a kill ends it now
        raise RunEnded("The run was canceled.")

    with pytest.raises(RunEnded):
        library.choose(task(directions(300), 30), canceled)

    assert psutil.Process().children() == before


def test_choose__tells_why_its_process_ended() -> None:
    """What the process said last is in the error."""
    with pytest.raises(SelectionFailed, match=r"code 1: .*n_samples_to_select") as caught:
        library.choose(task(directions(2), -1), nothing)

    assert caught.value.code == "engine:selection"


@pytest.mark.parametrize("answer", [[0, 0], [0, 5], [0], [-1, 0], [0, 1, 2]])
def test_checked__refuses_what_is_no_choice(answer: list[int]) -> None:
    """Twice the same, what is not there, too few, too many: no error of the library says so."""
    with pytest.raises(SelectionFailed, match="but the library chose"):
        library._checked(np.array(answer), task(directions(5), 2))
