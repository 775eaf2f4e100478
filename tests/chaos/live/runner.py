"""Plays the cells with real processes in several worlds side by side."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.chaos.live.cells import BRIEF_S, CALM_S, CELLS
from tests.support.compose import ROOT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# LEASE_TTL_S of each world. What is waited for is time, not work: more of them than cores.
WORLDS = (BRIEF_S, CALM_S, CALM_S, BRIEF_S, CALM_S)


@dataclass(frozen=True)
class Result:
    """What came of a cell.

    Attributes:
        step: Where it struck.
        fault: What struck.
        breaks: Promises that were not kept.
        to_stop_s: Longest time for which the instance was billed after it was let go.
    """

    step: str
    fault: str
    breaks: tuple[str, ...]
    to_stop_s: float


def run_live(names: Collection[str] = (), *, worlds: int = len(WORLDS)) -> Iterator[Result]:
    """Plays cells and yields what came of each as soon as it is over.

    Args:
        names: Names of the cells; none: all.
        worlds: How many worlds are open at once; at least 2, one for each length of a lease.
    """
    names = names or CELLS.keys()
    waiting: dict[float, queue.SimpleQueue[str]] = defaultdict(queue.SimpleQueue)
    for name in names:
        waiting[CELLS[name].lease_ttl_s].put(name)
    results: queue.SimpleQueue[Result] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_play, args=(kind, waiting[kind], results), daemon=True)
        for kind in WORLDS[:worlds]
        if kind in waiting
    ]
    for thread in threads:
        thread.start()
    for _ in names:
        yield results.get()
    for thread in threads:
        thread.join()


def _play(
    lease_ttl_s: float, names: queue.SimpleQueue[str], results: queue.SimpleQueue[Result]
) -> None:
    """Lets one world play until no name is left; a world that dies breaks the rest of them."""
    command = [sys.executable, "-m", "tests.chaos.live", str(lease_ttl_s)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        while name := _next(names):
            line = ""
            if process.poll() is None:
                process.stdin.write(f"{name}\n")
                process.stdin.flush()
                line = process.stdout.readline()
            results.put(_result(name, line))


def _next(names: queue.SimpleQueue[str]) -> str:
    try:
        return names.get_nowait()
    except queue.Empty:
        return ""


def _result(name: str, line: str) -> Result:
    if line:
        found = json.loads(line)
        return Result(**{**found, "breaks": tuple(found["breaks"])})
    cell = CELLS[name]
    return Result(cell.step, cell.fault, ("The world has died; see its error.",), 0.0)
