"""What was chosen before, in other runs, as seen by the frames that may be chosen now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.greedy import View, nearest, to_similarity, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from curation.engine.greedy import Floats, Ints

    Halves = NDArray[np.float16]
    Masks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pool:
    """What was chosen before.

    Attributes:
        parts: Embeddings of each run, shape (K, D); they may come from an iterator.
        distance: A frame that is nearer than this to one of them is not new.
    """

    parts: Iterable[Halves] = ()
    distance: float = 0.0


@dataclass(frozen=True, eq=False)
class Before:
    """How N frames stand to the pool.

    Attributes:
        similarity: Of each to the nearest in the pool, shape (N,).
        owner: The number of that nearest one, shape (N,).
        numbers: Numbers of those in the pool that are the nearest of any frame, ascending. The
            others cannot change what is chosen.
        found: Their embeddings.
    """

    similarity: Floats
    owner: Ints
    numbers: Ints
    found: Halves

    def is_new(self, distance: float) -> Masks:
        """Returns which frames are at least as far as that from all in the pool, shape (N,)."""
        if distance == 0:
            return np.ones(len(self.similarity), np.bool_)
        return self.similarity <= to_similarity(distance)

    def take(self, which: Masks | Ints) -> Before:
        """Returns how some of the frames stand to the pool."""
        return Before(self.similarity[which], self.owner[which], self.numbers, self.found)

    def rows(self) -> Floats:
        """Returns those in the pool that are the nearest of any frame, of length 1."""
        return unit(self.found[np.isin(self.numbers, self.owner)])


def compare(rows: View, pool: Pool, on_wait: Callable[[], None]) -> Before | None:
    """Compares frames with a pool, one part of it at a time; None if the pool is empty.

    Args:
        rows: The N frames.
        pool: What was chosen before.
        on_wait: Called now and then; if it raises, the work ends.
    """
    similarity, owner = np.full(len(rows), -2, np.float32), np.zeros(len(rows), np.int64)
    numbers, found, total = [], [], 0
    for part in filter(len, pool.parts):
        values, which = nearest(rows, View.of_all(part), on_wait)
        better = values > similarity
        similarity[better] = values[better]
        owner[better] = which[better] + total
        used = np.unique(which[better])
        numbers.append(used + total)
        found.append(part[used])
        total += len(part)
    if not total:
        return None
    return Before(similarity, owner, np.concatenate(numbers), np.concatenate(found))
