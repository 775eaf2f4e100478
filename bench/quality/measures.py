"""Says how good a choice of frames is: scenes and events found, radius, near-duplicates, gain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.quality.sets import EVENT_FRAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.quality.sets import LabelledSet

    Chosen = NDArray[np.int64]
    Space = NDArray[np.float32]


@dataclass(frozen=True)
class Score:
    """How good one choice is.

    Attributes:
        coverage: Share of the scenes of which a frame is chosen.
        events: Share of the events of which a frame is chosen; NaN where there are none.
        radius: Largest distance of any frame to the nearest chosen one.
        typical: Mean of the same distances.
        near_duplicates: Share of the chosen frames that have another one nearer than two frames
            in a row mostly are.
    """

    coverage: float
    events: float
    radius: float
    typical: float
    near_duplicates: float


def score(chosen: Chosen, labelled: LabelledSet, space: Space) -> Score:
    """Judges a choice.

    Args:
        chosen: Frame numbers, shape (K,), int64.
        labelled: What is where.
        space: Embeddings of the judge, shape (N, D), float32.
    """
    scenes = set(labelled.scenes.tolist()) - {-1}
    seen = set(labelled.scenes[chosen].tolist())
    found = [np.isin(np.arange(e, e + EVENT_FRAMES), chosen).any() for e in labelled.events]
    distances = _distances(space, space[chosen]).min(axis=1)
    return Score(
        coverage=len(scenes & seen) / len(scenes),
        events=float(np.mean(found)) if found else math.nan,
        radius=float(distances.max()),
        typical=float(distances.mean()),
        near_duplicates=near_duplicates(chosen, space),
    )


def radius(chosen: Chosen, space: Space) -> float:
    """Returns the largest distance of any frame to the nearest chosen one."""
    return float(_distances(space, space[chosen]).min(axis=1).max())


def near_duplicates(chosen: Chosen, space: Space) -> float:
    """Returns the share of chosen frames with another chosen one nearer than neighbours are."""
    if len(chosen) < 2:  # noqa: PLR2004  # one alone has no other
        return 0.0
    usual = np.median(np.linalg.norm(np.diff(space, axis=0), axis=1))
    between = _distances(space[chosen], space[chosen])
    np.fill_diagonal(between, np.inf)
    return float((between.min(axis=1) < usual).mean())


def gain(of: float, *, random: float, best: float) -> float:
    """Returns how much of the way from a random choice's radius to the judge's own was gone."""
    return (random - of) / (random - best)


def _distances(one: Space, other: Space) -> Space:
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    distances: Space = np.sqrt(squares.clip(0))
    return distances
