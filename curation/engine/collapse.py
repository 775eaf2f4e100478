"""Leaves out frames that are nearly the same as one beside them, when there are too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curation.engine.greedy import blocks, to_distance

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from curation.engine.greedy import Floats, Ints, View

# Frames that are compared with each other: 17 seconds at 30 a second. The cost is linear in it.
_BESIDE = 512


def collapse(
    rows: View, n_left: int, score: Floats, on_wait: Callable[[], None]
) -> tuple[Ints, float]:
    """Leaves out rows, those first that are most like one that stays.

    Each block of consecutive rows is put in the order of greedy k-center; one distance then cuts
    all orders, so that a block with much motion keeps more of its rows.

    Args:
        rows: N of them, in the order of the video.
        n_left: How many stay (a few more if distances are equal).
        score: The higher, the better it is that a row stays, shape (N,).
        on_wait: Called between blocks.

    Returns:
        The rows that stay, ascending, and the distance within which every other one has one.
    """
    reach = np.concatenate([_reach(rows, part, on_wait) for part in blocks(len(rows), _BESIDE)])
    stays = reach >= np.partition(reach, -n_left)[-n_left]
    gap = float(reach[~stays].max(initial=0.0))
    if not np.ptp(score):
        return np.flatnonzero(stays), gap
    parts = [_best(rows, part, stays, score) for part in blocks(len(rows), _BESIDE)]
    # The best of a group may be as far from its center on the one side as a row on the other.
    return np.concatenate(parts), 2 * gap


def _reach(rows: View, part: slice, on_wait: Callable[[], None]) -> Floats:
    """Returns the distance of each row to the nearest one before it in the order of k-center."""
    on_wait()
    units = rows.unit(part)
    similarity = units @ units.T
    found = np.full(len(units), -1.0, np.float32)
    highest, at = np.full(len(units), -1.0, np.float32), 0
    for _ in range(len(units)):
        found[at] = highest[at]
        np.maximum(highest, similarity[at], out=highest)
        highest[at] = np.inf  # chosen
        at = int(highest.argmin())
    return to_distance(found)


def _best(rows: View, part: slice, stays: NDArray[np.bool_], score: Floats) -> Ints:
    """Returns the row with the highest score of each group around a row that stays."""
    units, centers = rows.unit(part), np.flatnonzero(stays[part])
    group = (units @ units[centers].T).argmax(axis=1)
    group[centers] = np.arange(len(centers))
    order = np.lexsort((~stays[part], -score[part], group))
    first = np.searchsorted(group[order], np.arange(len(centers)))
    best: Ints = np.sort(order[first]) + part.start
    return best
