"""The published table: steps by faults, each cell with its count and its worst time to stop."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.chaos.cells import FAULTS, STEPS, Cell, why_not

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.crew import Outcome
    from tests.chaos.live.runner import Result

_HEAD = """# Fault matrix

For everybody who trusts this pipeline with a cloud account: what was done to it, how often, and
how long an instance then cost money for nobody. Made by `make chaos`; not to be edited.

Each cell: injections · worst time to stop in seconds, from the last sign of life of the last run
that held the instance to the end of its bill. All with the defaults (a lease of 900 s, a reaper's
round every 60 s), but for a deadline of 3,600 s. Times are virtual, so they are the same on every
machine.
"""


def to_markdown(outcomes: Sequence[Outcome], live: Sequence[Result] = ()) -> str:
    """Returns the table of these outcomes, with its legend and the cells with real processes."""
    by_cell: dict[Cell, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.has_struck:
            by_cell[outcome.cell].append(outcome)
    lines = [_HEAD, f"| step | {' | '.join(FAULTS)} |", f"|---|{'---|' * len(FAULTS)}"]
    for step in STEPS:
        entries = [_entry(Cell(step, fault), by_cell) for fault in FAULTS]
        lines.append(f"| {step} | {' | '.join(entries)} |")
    lines += ["", *_sums(outcomes), "", "| fault | |", "|---|---|"]
    lines += [f"| {fault} | {meaning} |" for fault, meaning in FAULTS.items()]
    lines += _live(live)
    lines += ["", "Cells without a meaning (-):", "", *_reasons()]
    return "\n".join(lines) + "\n"


def _entry(cell: Cell, by_cell: dict[Cell, list[Outcome]]) -> str:
    if why_not(cell):
        return "-"
    struck = by_cell[cell]
    n_breaks = sum(len(outcome.breaks) for outcome in struck)
    entry = f"{len(struck)} · {max((outcome.worst_s for outcome in struck), default=0.0):.0f}"
    return f"**{entry}, {n_breaks} breaks**" if n_breaks else entry


def _sums(outcomes: Sequence[Outcome]) -> list[str]:
    struck = [outcome for outcome in outcomes if outcome.has_struck]
    n_cells = len({outcome.cell for outcome in struck})
    n_breaks = sum(len(outcome.breaks) for outcome in struck)
    worst_s = max((outcome.worst_s for outcome in struck), default=0.0)
    sums = f"{len(struck):,} injections in {n_cells} cells, {n_breaks} breaks"
    return [f"{sums}; worst time to stop {worst_s:.0f} s."]


def _live(results: Sequence[Result]) -> list[str]:
    """Returns the cells with real processes; their times are real, with a lease of seconds."""
    if not results:
        return []
    lines = ["", "## With real processes", "", "| step | fault | breaks |", "|---|---|---|"]
    cells = sorted((result.step, result.fault, len(result.breaks)) for result in results)
    return lines + [f"| {step} | {fault} | {n_breaks} |" for step, fault, n_breaks in cells]


def _reasons() -> list[str]:
    cells: dict[str, list[str]] = defaultdict(list)
    for step in STEPS:
        for fault in FAULTS:
            reason = why_not(Cell(step, fault))
            if reason:
                cells[reason].append(f"{step} {fault}")
    return [f"- {reason}: {', '.join(found)}" for reason, found in cells.items()]
