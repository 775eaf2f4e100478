"""Frames are chosen by the config, from those that may be chosen, and new against the datapool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from curation.engine import choice
from curation.engine.before import Pool
from curation.engine.choice import choose_frames
from curation.engine.greedy import View, nearest, to_distance
from curation.errors import RequestError, RunEnded, SelectionFailed
from curation.selection_config import diverse, parse_config
from tests.support.embeddings import directions, frames_of, nothing, scenes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from curation.engine.choice import Choice
    from curation.engine.frames import Frames

DIVERSITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
SHARP = {
    "input": {"type": "METADATA", "key": "lightly.sharpness"},
    "strategy": {"type": "WEIGHTS"},
}
# So many frames of so many numbers that the library would take too long.
MANY, WIDE = 5_000, 512


def choose(
    frames: Frames,
    *strategies: Mapping[str, object],
    amount: float = 0.1,
    eligible: NDArray[np.bool_] | None = None,
    pool: Pool | None = None,
) -> Choice:
    """Chooses by strategies, DIVERSITY if there is none."""
    name = "proportion_samples" if amount < 1 else "n_samples"
    return choose_frames(
        frames,
        eligible=np.ones(len(frames), np.bool_) if eligible is None else eligible,
        config=parse_config({name: amount, "strategies": list(strategies) or [DIVERSITY]}),
        pool=pool,
        on_wait=nothing,
    )


def test_choose_frames__every_scene_and_no_damaged_frame() -> None:
    """Each scene is represented, by a frame that is not damaged."""
    eligible = np.arange(400) % 10 != 0

    found = choose(frames_of(scenes(40, 10)), amount=40, eligible=eligible)

    assert sorted(index // 10 for index in found.indices.tolist()) == list(range(40))
    assert eligible[found.indices].all()
    assert (found.n_candidates, found.n_known, found.n_below_threshold) == (360, 0, 0)


def test_choose_frames__larger_contains_smaller_and_repeats() -> None:
    """The same frames give the same choice, and whoever asks for more gets those first."""
    frames = frames_of(directions(400))

    first, second, more = (choose(frames, amount=share).indices for share in (0.1, 0.1, 0.3))

    assert first.dtype == np.int64
    assert first.tolist() == second.tolist() == more[:40].tolist()
    assert len(set(more.tolist())) == 120


def test_choose_frames__tells_the_distances() -> None:
    """Each chosen frame has its distance to the nearest one before it; the first one 2."""
    rows = scenes(40, 10)

    found = choose(frames_of(rows))

    chosen = rows[found.indices]
    expected = [2.0] + [
        float(np.linalg.norm(chosen[:place] - chosen[place], axis=1).min())
        for place in range(1, 40)
    ]
    assert found.distances == pytest.approx(expected, abs=5e-3)


def test_choose_frames__threshold_first() -> None:
    """What is below a threshold is not chosen, however different it is."""
    rows, sharpness = directions(100), np.arange(100, dtype=np.float32)
    threshold = {
        "input": {"type": "METADATA", "key": "lightly.sharpness"},
        "strategy": {"type": "THRESHOLD", "threshold": 90, "operation": "BIGGER"},
    }

    found = choose(frames_of(rows, sharpness=sharpness), DIVERSITY, threshold, amount=0.2)

    assert sorted(found.indices.tolist()) == list(range(91, 100))
    assert found.n_below_threshold == 91


def test_choose_frames__thresholds_that_leave_nothing() -> None:
    """Nothing to choose from is an error that says why."""
    threshold = {
        "input": {"type": "METADATA", "key": "luminance"},
        "strategy": {"type": "THRESHOLD", "threshold": 1, "operation": "BIGGER"},
    }

    with pytest.raises(RequestError, match="None of 5 frames keeps the thresholds") as caught:
        choose(frames_of(directions(5)), DIVERSITY, threshold)

    assert caught.value.code == "request:selection-config"


def test_choose_frames__of_frames_alike_the_sharpest() -> None:
    """Diversity times sharpness: one frame of each scene, and a sharp one."""
    sharpness = np.tile(np.linspace(1, 10, 10, dtype=np.float32), 40)

    found = choose(frames_of(scenes(40, 10), sharpness=sharpness), DIVERSITY, SHARP, amount=20)

    assert len({index // 10 for index in found.indices.tolist()}) == 20
    assert sharpness[found.indices].mean() > 9


@pytest.mark.parametrize("distance", [0.0, 0.2])
def test_choose_frames__new_against_the_pool(distance: float) -> None:
    """Scenes that earlier runs have are left alone; with a distance they cannot be chosen."""
    rows = scenes(40, 10)
    earlier = rows.astype(np.float16)

    found = choose(
        frames_of(rows), amount=20, pool=Pool([earlier[5:100:10], earlier[105:200:10]], distance)
    )

    assert {index // 10 for index in found.indices.tolist()} == set(range(20, 40))
    assert found.n_known == (200 if distance else 0)
    assert found.distances[0] < 2


@pytest.mark.parametrize("n_frames", [100, MANY])
def test_choose_frames__nothing_new(n_frames: int) -> None:
    """A video whose every frame is known gives no frame, and no error."""
    rows = directions(n_frames, size=WIDE)

    found = choose(frames_of(rows), pool=Pool([rows.astype(np.float16)], 0.1))

    assert found.indices.tolist() == []
    assert (found.n_candidates, found.n_known) == (0, n_frames)


def test_choose_frames__an_empty_pool_is_none() -> None:
    """A pool without a frame changes nothing."""
    frames = frames_of(directions(100))

    found = choose(frames, pool=Pool([np.zeros((0, 32), np.float16)], 0.1))

    assert found.indices.tolist() == choose(frames).indices.tolist()


def test_choose_frames__among_equals() -> None:
    """Frames that are all alike are still chosen once each."""
    rows = np.repeat(directions(1), 30, axis=0)

    found = choose(frames_of(rows), amount=30)

    assert sorted(found.indices.tolist()) == list(range(30))


def test_choose_frames__without_a_direction() -> None:
    """Black frames without features count as one scene."""
    rows = np.concatenate([directions(5), np.zeros((20, 32), np.float32)])

    found = choose(frames_of(rows), amount=6)

    assert sum(index >= 5 for index in found.indices.tolist()) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_choose_frames__refuses_what_is_not_a_number(value: float) -> None:
    """The library would take such a row without a word; a damaged frame may have one."""
    rows = directions(20)
    rows[3, 1] = value

    with pytest.raises(SelectionFailed, match="not finite"):
        choose(frames_of(rows), amount=5)

    assert len(choose(frames_of(rows), amount=5, eligible=np.arange(20) != 3).indices) == 5


def test_choose_frames__refuses_what_the_engine_cannot_do() -> None:
    """Nothing in the config is ignored."""
    scores = {
        "input": {"type": "SCORES", "task": "cars", "score": "uncertainty"},
        "strategy": {"type": "WEIGHTS"},
    }

    with pytest.raises(RequestError, match=r"strategies\[1\].input.type is SCORES"):
        choose(frames_of(directions(5)), DIVERSITY, scores)


def test_choose_frames__a_long_video_is_chosen_from_as_a_short_one() -> None:
    """Beyond what the library can do in time, the choice is as good: the radius is the same."""
    rows = scenes(500, 10, size=WIDE)
    view = View.of_all(rows)
    assert len(rows) * 1000 * WIDE < choice._LIBRARY_WORK < len(rows) * 4000 * WIDE

    short, long = (choose(frames_of(rows), amount=n).indices[:1000] for n in (1000, 4000))

    radii = [
        float(to_distance(nearest(view, view.take(chosen), nothing)[0]).max())
        for chosen in (short, long)
    ]
    assert radii[0] == pytest.approx(radii[1], rel=0.05)


def test_choose_frames__many_with_weights() -> None:
    """With other strategies, frames that are nearly the same are left out before the library."""
    sharpness = np.random.default_rng(0).random(20_000).astype(np.float32)
    frames = frames_of(scenes(400, 50, size=WIDE), sharpness=sharpness)

    found = choose(frames, DIVERSITY, SHARP, amount=1000)

    assert len(set(found.indices.tolist())) == 1000
    assert len({index // 50 for index in found.indices.tolist()}) == 400
    assert 0 < found.collapse_distance < 0.2
    assert sharpness[found.indices].mean() > 0.8


@pytest.mark.parametrize("n_frames", [100, MANY])
def test_choose_frames__is_interrupted(n_frames: int) -> None:
    """A run that is canceled meanwhile ends the work."""

    def canceled() -> None:
        raise RunEnded("The run was canceled.")

    with pytest.raises(RunEnded):
        choose_frames(
            frames_of(directions(n_frames, size=WIDE)),
            eligible=np.ones(n_frames, np.bool_),
            config=diverse(0.9),
            on_wait=canceled,
        )
