"""Chooses the most diverse rows of an array; run as a process of its own by `select.py`.

Usage: choose.py N_ROWS N_TO_CHOOSE, with the rows as float32 on standard input. The chosen indices
come out on standard output. It imports nothing of ours, so that it runs from wherever it lies.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
from lightly_mundig import Selection

if TYPE_CHECKING:
    from numpy.typing import NDArray


def choose(embeddings: NDArray[np.float32], n_to_choose: int) -> list[int]:
    """Returns the indices of the chosen rows in order of choice.

    The first is 0; each further one is the farthest from all before it (greedy k-center).

    Args:
        embeddings: Array of shape (N, D), float32, finite.
        n_to_choose: 0 < n_to_choose <= N.
    """
    selection = Selection()
    selection.add_diversifying_strategy(embeddings, 1.0)
    indices: list[int] = selection.run_selection([], len(embeddings), n_to_choose)
    return indices


if __name__ == "__main__":
    n_rows, n = (int(argument) for argument in sys.argv[1:])
    rows = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(n_rows, -1)
    sys.stdout.write(" ".join(map(str, choose(rows, n))))
