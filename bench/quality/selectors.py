"""Ways to choose frames: what people do by hand, and greedy k-center in some space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Chosen = NDArray[np.int64]
    Space = NDArray[np.float32]

# A cut is where a frame differs from the last one this many times as much as frames mostly do, and
# by at least this distance.
_CUT_TIMES, _CUT_DISTANCE = 4.0, 0.35
_REACH = 12


def at_random(n_frames: int, k: int, dice: Generator) -> Chosen:
    """Chooses by chance."""
    return np.sort(dice.choice(n_frames, k, replace=False))


def every_nth(n_frames: int, k: int) -> Chosen:
    """Chooses frames at equal distances, from the middle of each stretch."""
    return ((np.arange(k) + 0.5) * n_frames / k).astype(np.int64)


def shots(space: Space, k: int) -> Chosen:
    """Chooses the middle frame of each shot, then every n-th until there are enough.

    Args:
        space: Hand-made features, shape (N, D), float32.
        k: Frames to choose. Of more shots than that, the longest are taken.
    """
    cuts = _cuts(space)
    edges = np.array([0, *cuts, len(space)])
    longest = np.argsort(-np.diff(edges), kind="stable")[:k]
    middles = (edges[longest] + edges[longest + 1]) // 2
    rest = [n for n in every_nth(len(space), k) if n not in middles]
    return np.sort(np.array([*middles, *rest][:k], np.int64))


def k_center(space: Space, k: int) -> Chosen:
    """Chooses the first frame, then again and again the farthest from all chosen ones."""
    chosen, nearest = [0], np.linalg.norm(space - space[0], axis=1)
    while len(chosen) < k:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(space - space[chosen[-1]], axis=1))
    return np.array(chosen, np.int64)


def _cuts(space: Space) -> list[int]:
    steps = np.linalg.norm(np.diff(space, axis=0), axis=1)
    cuts = []
    for number, step in enumerate(steps):
        around = np.median(steps[max(0, number - _REACH) : number + _REACH + 1])
        if step > max(_CUT_DISTANCE, _CUT_TIMES * around):
            cuts.append(number + 1)
    return cuts
