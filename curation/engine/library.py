"""Asks lightly-mundig for a choice, in a process of its own that can be ended at any time."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from subprocess import PIPE, Popen, TimeoutExpired
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.greedy import blocks
from curation.engine.packages import explained
from curation.errors import SelectionFailed

with explained():
    from curation.engine import library_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from curation.engine.greedy import Floats, Ints, View
    from curation.engine.strategies import Objectives

# Seconds between two calls of `on_wait`.
_WAIT_S = 0.5


@dataclass(frozen=True, eq=False)
class Task:
    """What the library is asked.

    Attributes:
        rows: N embeddings to choose from.
        objectives: What is to be had of each.
        chosen_before: Embeddings of what was chosen before, shape (M, D); None: nothing was.
        n: How many of the N to choose, 0 < n <= N.
    """

    rows: View
    objectives: Objectives
    chosen_before: Floats | None
    n: int

    @property
    def n_before(self) -> int:
        """How many were chosen before."""
        return 0 if self.chosen_before is None else len(self.chosen_before)


def choose(task: Task, on_wait: Callable[[], None]) -> Ints:
    """Returns the chosen of the N rows, in order of choice; fewer than n if a distance ends it.

    The process is needed because the library never releases the GIL: a heartbeat in another thread
    stood still for all of its work (16 CPU-seconds for 18,000 frames).

    Args:
        task: The question.
        on_wait: Called again and again meanwhile. If it raises, the process is killed.

    Raises:
        SelectionFailed: If the process ends badly, or its answer is no choice.
    """
    # -P, because this folder has names that the standard library has too.
    command = [sys.executable, "-P", library_process.__file__]
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:  # noqa: S603  # all ours
        try:
            output, errors = _talk(process, task, on_wait)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        last = errors.decode(errors="replace").strip().rpartition("\n")[-1]
        message = f"The selection process ended with code {process.returncode}: {last or 'killed'}."
        raise SelectionFailed(message, code="engine:selection")
    return _checked(np.array(output.split(), np.int64), task)


def _checked(answer: Ints, task: Task) -> Ints:
    # What was chosen before is behind the rows in the question, and in front in the answer.
    n_before, n_rows = task.n_before, len(task.rows)
    before, chosen = answer[:n_before], answer[n_before:]
    may_be_fewer = task.objectives.min_distance > 0
    # The library returns duplicates rather than an error when it is asked for too many.
    if (
        not np.array_equal(before, np.arange(n_rows, n_rows + n_before))
        or len(np.unique(chosen)) != len(chosen)
        or not np.isin(chosen, np.arange(n_rows)).all()
        or not (len(chosen) == task.n or (may_be_fewer and len(chosen) < task.n))
    ):
        message = f"Of {n_rows} frames {task.n} were to be chosen, but the library chose {chosen}."
        raise SelectionFailed(message, code="engine:selection")
    return chosen


def _talk(process: Popen[bytes], task: Task, on_wait: Callable[[], None]) -> tuple[bytes, bytes]:
    if process.stdin:
        with suppress(BrokenPipeError):  # it has died, and its exit code will say why
            process.stdin.write(json.dumps(_question(task)).encode() + b"\n")
            for part in _data(task):
                on_wait()
                process.stdin.write(np.ascontiguousarray(part, np.float32).data)
    while True:
        on_wait()
        with suppress(TimeoutExpired):
            return process.communicate(timeout=_WAIT_S)


def _question(task: Task) -> library_process.Question:
    wanted, n_before = task.objectives, task.n_before
    diversity: library_process.Diversity | None = None
    if wanted.diversity:
        diversity = {
            "strength": wanted.diversity.strength,
            "min_distance": wanted.min_distance or None,
        }
    return {
        "n_rows": len(task.rows) + n_before,
        "n_before": n_before,
        "n": task.n + n_before,
        "n_features": task.rows.rows.shape[1],
        "diversity": diversity,
        "weights": [strength for _, strength in wanted.weights],
        "balances": [
            {"strength": balance.strength, "target": balance.target.tolist()}
            for balance in wanted.balances
        ],
    }


def _data(task: Task) -> Iterator[Floats]:
    """Yields the arrays in parts. What was chosen before is neutral but for its distances."""
    wanted, n_before = task.objectives, task.n_before
    if wanted.diversity:
        for part in blocks(len(task.rows)):
            yield task.rows.unit(part)
        if task.chosen_before is not None:
            yield task.chosen_before
    for values, _ in wanted.weights:
        yield values
        yield np.ones(n_before, np.float32)
    for balance in wanted.balances:
        yield balance.classes
        yield np.tile(balance.target, (n_before, 1))
