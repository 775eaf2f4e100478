"""Greedy k-center, exact, in matrix products instead of one pass over all frames for each choice.

Everywhere, the similarity of two rows is their cosine, and their distance that of their directions:
sqrt(2 - 2 * similarity), from 0 to 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Rows = NDArray[np.float16] | NDArray[np.float32]
    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

# Rows that are float32 at the same time: 20 MB at 1280 numbers a row.
BLOCK = 4096
# Frames that compete for the next choices with exact distances; the others have bounds.
_POOL = 512
# Centers that a pool is compared with in one matrix product.
_CENTERS = 256
# Similarity of a row to nothing, and the mark of a row that is chosen.
_NONE, _TAKEN = -4.0, 4.0


def unit(rows: Rows) -> Floats:
    """Returns rows of length 1, float32; rows that are zero become one and the same direction."""
    found = np.array(rows, np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    # A black picture may have no direction. All of them are alike, and unlike the others.
    found[lengths[:, 0] == 0] = 1.0
    lengths[lengths == 0] = found.shape[1] ** 0.5
    found /= lengths
    return found


@dataclass(frozen=True, eq=False)
class View:
    """Some of the rows of an array, which are copied only when they are needed.

    Attributes:
        rows: Shape (N, D), float16 or float32.
        index: Which of them, shape (M,).
    """

    rows: Rows
    index: Ints

    @classmethod
    def of_all(cls, rows: Rows) -> View:
        """Returns a view of all rows."""
        return cls(rows, np.arange(len(rows)))

    def __len__(self) -> int:
        return len(self.index)

    def unit(self, which: slice | Ints) -> Floats:
        """Returns some of the rows, as float32 of length 1."""
        return unit(self.rows[self.index[which]])

    def take(self, which: Ints | NDArray[np.bool_]) -> View:
        """Returns a view of some of the rows."""
        return View(self.rows, self.index[which])


def to_distance(similarity: Floats) -> Floats:
    """Returns the distances that belong to similarities."""
    squared: Floats = np.clip(2.0 - 2.0 * similarity, 0.0, 4.0)
    return np.sqrt(squared)


def to_similarity(distance: float) -> float:
    """Returns the similarity that belongs to a distance."""
    return 1.0 - distance * distance / 2.0


def blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """Yields slices that cover n rows."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def nearest(rows: View, others: View, on_wait: Callable[[], None]) -> tuple[Floats, Ints]:
    """Returns for each row its similarity to the nearest of `others`, and which that is.

    Args:
        rows: N of them.
        others: One or more.
        on_wait: Called between blocks.
    """
    best, which = np.full(len(rows), _NONE, np.float32), np.zeros(len(rows), np.int64)
    for theirs in blocks(len(others)):
        targets = others.unit(theirs).T
        for ours in blocks(len(rows)):
            on_wait()
            similarity = rows.unit(ours) @ targets
            found = similarity.argmax(axis=1)
            value = np.take_along_axis(similarity, found[:, np.newaxis], axis=1)[:, 0]
            better = value > best[ours]
            best[ours][better] = value[better]
            which[ours][better] = found[better] + theirs.start
    return best, which


def k_center(
    rows: View,
    n: int,
    *,
    on_wait: Callable[[], None],
    known: Floats | None = None,
    min_distance: float = 0.0,
) -> tuple[Ints, Floats]:
    """Chooses rows, each the farthest from all before it: exactly, and lazily.

    The similarity of a row to its nearest center only grows with the centers. So an old value is a
    bound, and a row that is near to one already need not be compared with later ones as long as
    there are others that may be farther.

    Args:
        rows: N of them.
        n: How many to choose, n <= N.
        on_wait: Called now and then; if it raises, the work ends.
        known: Similarity of each row to the nearest of what was chosen before, shape (N,). Without
            it, the first choice is row 0.
        min_distance: Ends the choice before a row that is nearer than this to a chosen one.

    Returns:
        The chosen rows in order of choice, and their distances to the nearest one before.
    """
    search = _Search(rows, n, known)
    limit = to_similarity(min_distance) if min_distance else 1.0 + 1e-3
    while search.n_chosen < n:
        on_wait()
        pool = search.pool()
        if not search.choose_from(pool, limit):
            break
    order = search.order[: search.n_chosen]
    return order, to_distance(search.similarity[: search.n_chosen])


class _Search:
    """The state of one `k_center`.

    Attributes:
        order: The chosen rows; the first `n_chosen` count.
        similarity: Of each to the nearest one before.
    """

    def __init__(self, rows: View, n: int, known: Floats | None) -> None:
        self._rows = rows
        self.order = np.zeros(n, np.int64)
        self.similarity = np.full(n, -1.0, np.float32)
        self.n_chosen = 0
        # What is known of each row: a similarity, and to how many of the centers that is.
        self._bound = np.full(len(rows), _NONE, np.float32) if known is None else known.copy()
        if known is None:
            self._bound[0] = 2 * _NONE  # the first of all
        self._seen = np.zeros(len(rows), np.int64)

    def pool(self) -> _Pool:
        """Returns the rows that are farthest by what is known, and compares them with all."""
        size = min(_POOL, len(self._rows) - self.n_chosen)
        numbers = np.argpartition(self._bound, size - 1)[:size]
        edge = float(self._bound[numbers].max())
        numbers = numbers[np.argsort(self._seen[numbers], kind="stable")]
        pool = _Pool(numbers, self._rows.unit(numbers), self._bound[numbers], edge)
        self._compare(pool)
        return pool

    def choose_from(self, pool: _Pool, limit: float) -> bool:
        """Chooses as long as no row outside of the pool can be farther; False: none is far enough.

        Args:
            pool: Compared with all centers.
            limit: Similarity beyond which no row is chosen.
        """
        goes_on = True
        while self.n_chosen < len(self.order):
            at = int(pool.similarity.argmin())
            value = float(pool.similarity[at])
            if value > pool.edge or value == _TAKEN:
                break
            goes_on = value <= limit
            if not goes_on:
                break
            self._take(pool, at, value)
        self._bound[pool.numbers] = pool.similarity
        self._seen[pool.numbers] = self.n_chosen
        return goes_on

    def _take(self, pool: _Pool, at: int, value: float) -> None:
        self.order[self.n_chosen] = pool.numbers[at]
        self.similarity[self.n_chosen] = max(value, -1.0)
        self.n_chosen += 1
        np.maximum(pool.similarity, pool.rows @ pool.rows[at], out=pool.similarity)
        pool.similarity[at] = _TAKEN

    def _compare(self, pool: _Pool) -> None:
        seen = self._seen[pool.numbers]
        start = int(seen[0])
        while start < self.n_chosen:
            end = min(self.n_chosen, start - start % _CENTERS + _CENTERS)
            behind = int(np.searchsorted(seen, end))  # the first rows have not seen all of these
            centers = self._rows.unit(self.order[start:end])
            found = (pool.rows[:behind] @ centers.T).max(axis=1)
            np.maximum(pool.similarity[:behind], found, out=pool.similarity[:behind])
            start = end


@dataclass(frozen=True, eq=False)
class _Pool:
    """Rows that compete for the next choices.

    Attributes:
        numbers: Which rows.
        rows: Their embeddings.
        similarity: Of each to the nearest center.
        edge: No row outside of the pool has less.
    """

    numbers: Ints
    rows: Floats
    similarity: Floats
    edge: float
