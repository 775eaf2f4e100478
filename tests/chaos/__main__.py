"""`make chaos`: the matrix, then the mutants, and beside them the cells with real processes."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.cells import Cell, cells
from tests.chaos.crew import crew
from tests.chaos.hunts import HUNTS, hunt
from tests.chaos.live.runner import run_live
from tests.chaos.table import to_markdown

if TYPE_CHECKING:
    from tests.chaos.crew import Outcome
    from tests.chaos.live.runner import Result

# The first break ends a hunt, so most need one or two.
_HUNTED_SEEDS = 10
# Four seeds of all cells and a part of the fifth: all of it is to end within a quarter of an hour.
_MOST_TRIALS = 1_050
TABLE = Path("docs/fault-matrix.md")


def main() -> None:
    """Plays what is asked for, and exits with 1 if a promise broke or a mutant survived."""
    options = _parser().parse_args()
    begun_at = time.monotonic()
    is_all = not (options.cell or options.mutant)
    names = options.mutant or (list(HUNTS) if is_all else [])
    # Real processes mostly wait, but what they do they must do at once; virtual time can wait.
    with crew(niceness=10) as here, ThreadPoolExecutor() as beside:
        playing = beside.submit(_play_live) if is_all else None
        outcomes = here.play(_trials(options), told=_tell)
        alive = here.survivors({name: hunt(name, _HUNTED_SEEDS) for name in names})
        live = playing.result() if playing else []
    if is_all:
        TABLE.write_text(to_markdown(outcomes, live), encoding="utf-8")
    for name in alive:
        _say(f"survived: {name}")
    struck = [outcome for outcome in outcomes if outcome.has_struck]
    n_breaks = sum(len(item.breaks) for item in outcomes) + sum(len(item.breaks) for item in live)
    _say(f"{time.monotonic() - begun_at:.0f} s")
    _say(f"injections {len(struck) + len(live)}")
    _say(f"breaks {n_breaks}")
    _say(f"mutants {len(names) - len(alive)}/{len(names)}")
    _say(f"worst time to stop {max((item.worst_s for item in struck), default=0.0):.0f} s")
    sys.exit(bool(n_breaks or alive))


def _trials(options: argparse.Namespace) -> list[tuple[Cell, int]]:
    """Returns the trials that are asked for; none if it is mutants alone."""
    if options.mutant and not options.cell:
        return []
    wanted = [Cell(*name.split(":")) for name in options.cell] or cells()
    seeds = [options.seed] if options.seed is not None else list(range(options.seeds))
    return [(cell, seed) for seed in seeds for cell in wanted][:_MOST_TRIALS]


def _play_live() -> list[Result]:
    """Plays the cells with real processes."""
    results = []
    for result in run_live():
        results.append(result)
        for what in result.breaks:
            _say(f"BREAK live {result.step} {result.fault}: {what}")
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.chaos", description="The fault matrix.")
    parser.add_argument("--seeds", type=int, default=5, help="seeds for each cell")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--cell", action="append", default=[], help="STEP:FAULT; again for more")
    parser.add_argument("--mutant", action="append", default=[], help="this one alone")
    return parser


def _tell(outcome: Outcome) -> None:
    for promise, what in outcome.breaks:
        _say(f"BREAK {promise}: {what}")
        again = f'--cell "{outcome.cell}" --seed {outcome.seed}'
        _say(f"  again: .venv/bin/python -m tests.chaos {again}")
    if not outcome.has_struck:
        _say(f"never struck: {outcome.cell} seed {outcome.seed}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
