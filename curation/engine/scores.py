"""How well a choice stands for the whole video, beside a random one and every n-th frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Indices = NDArray[np.int64]

# Frames that are looked at, and chosen ones at most: enough for two digits, and cheap.
_MOST_FRAMES = 2_000
_MOST_CHOSEN = 2_000
_SEED = 0


@dataclass(frozen=True)
class Scores:
    """Distances in the space of the embeddings, 0 to 2; the smaller, the better.

    Attributes:
        covering_radius: Of the frame that is farthest from its nearest chosen one.
        mean_distance: Of a frame to its nearest chosen one, in the mean.
        near_duplicates: Share of chosen frames with another chosen one nearer than two consecutive
            frames usually are.
    """

    covering_radius: float
    mean_distance: float
    near_duplicates: float


def compare(
    embeddings: NDArray[np.float16], eligible: Indices, chosen: Indices
) -> dict[str, Scores]:
    """Returns the scores of the choice, of every n-th frame and of a random choice as large.

    Args:
        embeddings: Shape (N, D), float16, rows of length 1.
        eligible: Numbers of the frames that might be chosen, rising.
        chosen: Numbers of the K frames that were chosen.

    Returns:
        Nothing when nothing was chosen.
    """
    if not len(chosen):
        return {}
    n = min(len(chosen), len(eligible))
    every_nth = eligible[np.arange(n) * len(eligible) // n]
    at_random = np.random.default_rng(_SEED).choice(eligible, n, replace=False)
    frames = embeddings[_spread(eligible, _MOST_FRAMES)].astype(np.float32)
    usual = _usual_step(embeddings, eligible)
    choices = {"chosen": chosen, "every_nth": every_nth, "random": at_random}
    return {
        name: _score(frames, embeddings[_spread(choice, _MOST_CHOSEN)].astype(np.float32), usual)
        for name, choice in choices.items()
    }


def _score(frames: Rows, chosen: Rows, usual: float) -> Scores:
    nearest = _distances(frames, chosen).min(axis=1)
    among = _distances(chosen, chosen)
    np.fill_diagonal(among, np.inf)
    return Scores(
        covering_radius=round(float(nearest.max()), 4),
        mean_distance=round(float(nearest.mean()), 4),
        near_duplicates=round(float((among.min(axis=1) < usual).mean()), 4),
    )


def _distances(a: Rows, b: Rows) -> Rows:
    # Rows have length 1, so |a - b|^2 is 2 - 2 a.b; float16 may make it a little negative.
    distances: Rows = np.sqrt(np.maximum(2 - 2 * (a @ b.T), 0))
    return distances


def _usual_step(embeddings: NDArray[np.float16], eligible: Indices) -> float:
    starts = _spread(eligible[:-1], _MOST_FRAMES)
    if not len(starts):
        return 0.0
    steps = embeddings[starts + 1].astype(np.float32) - embeddings[starts].astype(np.float32)
    return float(np.median(np.linalg.norm(steps, axis=1)))


def _spread(numbers: Indices, most: int) -> Indices:
    """Returns at most so many of the numbers, evenly."""
    step = max(1, -(-len(numbers) // most))
    return numbers[::step]
