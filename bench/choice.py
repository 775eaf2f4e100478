"""Measures what a choice costs and how good it is, by the number of frames.

Usage: python -m bench.choice [N ...] [--library-up-to N] [--weighted-up-to N]

The embeddings are made up, but as those of a video are: scenes of very different lengths, a third
of them seen before, motion as a random walk of very different speed, and a little noise.
"""

from __future__ import annotations

import argparse
import os
import resource
from functools import partial
from typing import TYPE_CHECKING

# Before numpy, whose number of threads it sets.
from curation.engine import library  # isort: split

import numpy as np

from bench.frames import choose
from curation.engine.greedy import View, nearest, to_distance, unit
from curation.engine.strategies import Objectives
from curation.selection_config import Diversity, diverse, parse_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from curation.selection_config import SelectionConfig

    Rows = NDArray[np.float16]

_PROPORTION = 0.1
# As the default embedder has them.
_N_FEATURES = 448
# The radius is that of so many frames at most, evenly spread: it costs more than the choice.
_MOST_JUDGED = 50_000
# Directions in which pictures differ at all; the k-th by this much.
_SPREAD = np.arange(1, 201) ** -0.6
# The rest of a run, as the bar has it: 45 to 60 frames per CPU-second.
_RUN_FRAMES_PER_CPU_S = 50
_WEIGHTED = {
    "proportion_samples": _PROPORTION,
    "strategies": [
        {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}},
        {
            "input": {"type": "METADATA", "key": "lightly.sharpness"},
            "strategy": {"type": "WEIGHTS"},
        },
    ],
}


def main() -> None:
    """Prints one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[10_000, 50_000, 100_000])
    parser.add_argument("--library-up-to", type=int, default=10_000)
    parser.add_argument("--weighted-up-to", type=int, default=100_000)
    asked = parser.parse_args()
    for n_frames in asked.sizes:
        rows = embeddings(n_frames)
        _measure("every 10th", rows, _every_10th)
        if n_frames <= asked.library_up_to:
            _measure("library alone", rows, _library)
        _measure("diversity", rows, partial(_choose, config=diverse(_PROPORTION)))
        if n_frames <= asked.weighted_up_to:
            _measure("weighted", rows, partial(_choose, config=parse_config(_WEIGHTED)))


def embeddings(n_frames: int, *, n_features: int = _N_FEATURES, seed: int = 0) -> Rows:
    """Returns made-up embeddings, shape (n_frames, n_features), float16, of length 1."""
    dice = np.random.default_rng(seed)
    base = np.linalg.qr(dice.normal(size=(n_features, len(_SPREAD))))[0].T.astype(np.float32)
    scale = float(np.sqrt((_SPREAD**2).sum()))
    common = dice.normal(size=n_features)
    common *= 0.8 * scale / np.linalg.norm(common)
    found, done = np.empty((n_frames, n_features), np.float16), 0
    scenes: list[NDArray[np.float64]] = []
    while done < n_frames:
        length = min(n_frames - done, int(np.clip(dice.lognormal(4.5, 1.0), 3, 3000)))
        scenes.append(_scene(dice, scenes))
        rows = (scenes[-1] + _walk(dice, length)).astype(np.float32) @ base + common
        rows += dice.normal(size=rows.shape) * (0.03 * scale / n_features**0.5)
        found[done : done + length] = unit(rows.astype(np.float32))
        done += length
    return found


def _scene(dice: np.random.Generator, scenes: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    if scenes and dice.random() < 1 / 3:
        return scenes[dice.integers(len(scenes))] + 0.1 * dice.normal(size=len(_SPREAD)) * _SPREAD
    return dice.normal(size=len(_SPREAD)) * _SPREAD


def _walk(dice: np.random.Generator, length: int) -> NDArray[np.float64]:
    speed = min(float(dice.lognormal(-3.3, 0.9)), 1.0)
    steps = dice.normal(size=(length, len(_SPREAD))) * _SPREAD * speed
    for number in range(1, length):
        steps[number] += steps[number - 1] * (1 - speed / 2)
    return steps


def _choose(rows: Rows, *, config: SelectionConfig) -> NDArray[np.int64]:
    return choose(rows, config, sharpness=np.random.default_rng(1).random(len(rows), np.float32))


def _library(rows: Rows) -> NDArray[np.int64]:
    wanted = Objectives(Diversity(type="DIVERSITY"), [], [])
    n = round(len(rows) * _PROPORTION)
    return library.choose(library.Task(View.of_all(rows), wanted, None, n), _wait)


def _every_10th(rows: Rows) -> NDArray[np.int64]:
    return np.arange(0, len(rows), 10)


def _measure(name: str, rows: Rows, choose: Callable[[Rows], NDArray[np.int64]]) -> None:
    before = _cpu_s()
    chosen = choose(rows)
    cost = _cpu_s() - before
    peak_mb = max(resource.getrusage(who).ru_maxrss for who in _WHO) // 1024
    every = View(rows, np.arange(0, len(rows), -(-len(rows) // _MOST_JUDGED)))
    radius = float(to_distance(nearest(every, View(rows, chosen), _wait)[0]).max())
    share = cost / (len(rows) / _RUN_FRAMES_PER_CPU_S)
    print(  # noqa: T201  # a bench talks to people
        f"choice, {len(rows)} frames, {name}: {cost:.1f} CPU-s ({share:.1%} of a run), "
        f"{len(chosen)} chosen, radius {radius:.3f}, peak {peak_mb} MB",
        flush=True,
    )


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _wait() -> None:
    """Does nothing while waiting."""


if __name__ == "__main__":
    main()
