"""Processes that play trials side by side, with a defence switched off if a mutant is hunted."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
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

    def play(self, cell: Cell, seed: int, *, mutant: str = "") -> Outcome:
        """Plays one trial, without a defence if a mutant is named."""
        self._stdin.write(json.dumps([cell.step, cell.fault, seed, mutant]) + "\n")
        self._stdin.flush()
        answer = self._stdout.readline()
        if not answer:
            raise RuntimeError(f"The process that played {cell} with seed {seed} has died.")
        has_struck, breaks, worst_s, state = json.loads(answer)
        found = tuple((promise, what) for promise, what in breaks)
        return Outcome(cell, seed, has_struck, found, worst_s, state)


class Crew:
    """Players, each of whom is given the next thing to do when it has done the last one."""

    def __init__(self, players: Sequence[Player], pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._idle: queue.SimpleQueue[Player] = queue.SimpleQueue()
        for one in players:
            self._idle.put(one)

    def play(
        self, trials: Sequence[tuple[Cell, int]], *, told: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """Plays trials; the outcomes are in the order of the trials.

        Args:
            trials: Each a cell and a seed.
            told: Called with each outcome as it comes.
        """

        def work(trial: tuple[Cell, int]) -> Outcome:
            with self._player() as here:
                outcome = here.play(*trial)
            told(outcome)
            return outcome

        return list(self._pool.map(work, trials))

    def survivors(self, hunts: Mapping[str, Sequence[tuple[Cell, int]]]) -> list[str]:
        """Returns the mutants that none of their trials has found.

        Args:
            hunts: Where each mutant must be found; the first break is enough.
        """

        def is_found(name: str) -> bool:
            with self._player() as here:
                return any(here.play(*trial, mutant=name).breaks for trial in hunts[name])

        found = list(self._pool.map(is_found, hunts))
        return [name for name, has in zip(hunts, found, strict=True) if not has]

    @contextmanager
    def _player(self) -> Iterator[Player]:
        one = self._idle.get()
        try:
            yield one
        finally:
            self._idle.put(one)


@contextmanager
def crew(size: int = N_PROCESSES, *, niceness: int = 0) -> Iterator[Crew]:
    """Runs processes that play trials.

    Args:
        size: How many.
        niceness: How much they leave to other processes; 19 is the most.
    """
    with ExitStack() as stack:
        players = [stack.enter_context(_player(niceness)) for _ in range(size)]
        yield Crew(players, stack.enter_context(ThreadPoolExecutor(size)))


@contextmanager
def _player(niceness: int) -> Iterator[Player]:
    command = [sys.executable, "-m", "tests.chaos.play"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, process.pid, ours + niceness)
        if process.stdin and process.stdout:  # always, with these pipes
            yield Player(process.stdin, process.stdout)
            process.stdin.close()
