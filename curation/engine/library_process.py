"""Lets lightly-mundig choose; run as a process of its own by `library.py`.

On standard input come a line of JSON, then arrays of float32: embeddings (only with a diversity),
each list of weights, the classes of each balance. The chosen indices come out on standard output.
It imports nothing of ours, so that it runs from wherever it lies.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, BinaryIO, TypedDict

import numpy as np
from lightly_mundig import Selection

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Diversity(TypedDict):
    """How much distances count, and the one at which the choice ends, or None."""

    strength: float
    min_distance: float | None


class Balance(TypedDict):
    """How much a balance counts, and the share of each class that is wanted."""

    strength: float
    target: list[float]


class Question(TypedDict):
    """The line of JSON; the last `n_before` of the `n_rows` were chosen before and count in `n`."""

    n_rows: int
    n_before: int
    n: int
    n_features: int
    diversity: Diversity | None
    weights: list[float]
    balances: list[Balance]


def choose(question: Question, data: BinaryIO) -> list[int]:
    """Returns the indices of the chosen rows in order of choice, those chosen before in front.

    Args:
        question: What is asked.
        data: The arrays.
    """
    n_rows, selection = question["n_rows"], Selection()
    if diversity := question["diversity"]:
        selection.add_diversifying_strategy(
            _read(data, n_rows, question["n_features"]),
            diversity["strength"],
            diversity["min_distance"],
        )
    for strength in question["weights"]:
        selection.add_weighting_strategy(_read(data, n_rows, 1)[:, 0], strength)
    for balance in question["balances"]:
        classes = _read(data, n_rows, len(balance["target"]))
        selection.add_balancing_strategy(classes, balance["target"], balance["strength"])
    before = list(range(n_rows - question["n_before"], n_rows))
    indices: list[int] = selection.run_selection(before, n_rows, question["n"])
    return indices


def _read(data: BinaryIO, n_rows: int, n_columns: int) -> NDArray[np.float32]:
    content = data.read(n_rows * n_columns * np.dtype(np.float32).itemsize)
    return np.frombuffer(content, np.float32).reshape(n_rows, n_columns)


if __name__ == "__main__":
    asked: Question = json.loads(sys.stdin.buffer.readline())
    sys.stdout.write(" ".join(map(str, choose(asked, sys.stdin.buffer))))
