"""Plays trials in several processes, and mutants one process each."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.chaos.cells import Cell

N_PROCESSES = 2


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: see `tests.chaos.trial.Trial`; a break is its promise and its text."""

    cell: Cell
    seed: int
    has_struck: bool
    breaks: tuple[tuple[str, str], ...]
    worst_s: float
    state: str


class Player:
    """A process that plays trials."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin = stdin
        self._stdout = stdout

    def play(self, cell: Cell, seed: int) -> Outcome:
        """Plays one trial."""
        self._stdin.write(json.dumps([cell.step, cell.fault, seed]) + "\n")
        self._stdin.flush()
        answer = self._stdout.readline()
        if not answer:
            raise RuntimeError(f"The process that played {cell} with seed {seed} has died.")
        _, _, _, has_struck, breaks, worst_s, state = json.loads(answer)
        found = tuple((promise, what) for promise, what in breaks)
        return Outcome(cell, seed, has_struck, found, worst_s, state)


@contextmanager
def player(mutant: str = "") -> Iterator[Player]:
    """Runs a process that plays trials, with a defence switched off if one is named."""
    command = [sys.executable, "-m", "tests.chaos.play", *([mutant] if mutant else [])]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        if process.stdin and process.stdout:  # always, with these pipes
            yield Player(process.stdin, process.stdout)
            process.stdin.close()


def play(trials: Sequence[tuple[Cell, int]], *, told: Callable[[Outcome], None]) -> list[Outcome]:
    """Plays trials on all processes; the outcomes are in the order of the trials.

    Args:
        trials: Each a cell and a seed.
        told: Called with each outcome as it comes.
    """
    outcomes: dict[tuple[Cell, int], Outcome] = {}
    todo = iter(list(trials))

    def work(_: int) -> None:
        with player() as here:
            for item in todo:
                outcomes[item] = here.play(*item)
                told(outcomes[item])

    with ThreadPoolExecutor(N_PROCESSES) as pool:
        list(pool.map(work, range(min(N_PROCESSES, len(trials)))))
    return [outcomes[item] for item in trials]


def survivors(hunts: Mapping[str, Sequence[tuple[Cell, int]]]) -> list[str]:
    """Returns the mutants that none of their trials has found.

    Args:
        hunts: Where each mutant must be found; the first break is enough.
    """

    def is_found(name: str) -> bool:
        with player(name) as here:
            return any(here.play(*trial).breaks for trial in hunts[name])

    with ThreadPoolExecutor(N_PROCESSES) as pool:
        found = list(pool.map(is_found, hunts))
    return [name for name, has in zip(hunts, found, strict=True) if not has]
