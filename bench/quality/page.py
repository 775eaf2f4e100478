"""Makes tables of the bench's results, puts them into the docs, and names the bars they miss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.quality.trial import BUDGETS, EVERY_NTH, RANDOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.quality.trial import Result

PAGE = Path("docs/engine-quality.md")
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"

# What the engine must reach at these budgets, as means over seeds for coverage and events per set.
BAR_BUDGETS = (0.05, 0.10)
MIN_COVERAGE, MIN_ABOVE_RANDOM, MIN_EVENTS = 0.95, 0.15, 1.0
MAX_NEAR_DUPLICATES_OF_NTH, MIN_GAIN = 0.5, 0.40

_COLUMNS = ("coverage", "events", "near_duplicates", "radius", "typical", "gain")


def tables(results: Sequence[Result], ours: str) -> str:
    """Returns one table for each budget, and the gain of our own row by set."""
    parts = []
    for budget in reversed(BUDGETS):
        rows = _means([one for one in results if one.budget == budget])
        parts.append(f"### {budget:.0%} of the frames\n\n{_table('selector', _COLUMNS, rows)}")
    by_set = {
        kind: [
            _mean([one for one in results if _is(one, ours, budget, kind)], column)
            for budget in BAR_BUDGETS
            for column in _COLUMNS
        ]
        for kind in sorted({_kind(one) for one in results})
    }
    header = [f"{column} {budget:.0%}" for budget in BAR_BUDGETS for column in _COLUMNS]
    parts.append(f"### {ours}, by set\n\n{_table('set', header, by_set)}")
    return "\n".join(parts)


def put_figures(figures: str, page: Path = PAGE) -> None:
    """Replaces what stands between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{figures}\n{END}{after}", encoding="utf-8")


def missed_bars(results: Sequence[Result], ours: str) -> list[str]:
    """Returns a sentence for each bar that our own row misses."""
    return [sentence for budget in BAR_BUDGETS for sentence in _missed(results, ours, budget)]


def _missed(results: Sequence[Result], ours: str, budget: float) -> Iterator[str]:
    mine, nth, chance = (
        {
            column: _mean([one for one in results if _is(one, row, budget)], column)
            for column in _COLUMNS
        }
        for row in (ours, EVERY_NTH, RANDOM)
    )
    least = max(MIN_COVERAGE, min(1.0, chance["coverage"] + MIN_ABOVE_RANDOM))
    most = MAX_NEAR_DUPLICATES_OF_NTH * nth["near_duplicates"]
    bars = {
        f"coverage {mine['coverage']:.3f} < {least:.3f}": mine["coverage"] >= least,
        f"events {mine['events']:.3f} < {MIN_EVENTS}": mine["events"] >= MIN_EVENTS,
        f"gain {mine['gain']:.3f} < {MIN_GAIN}": mine["gain"] >= MIN_GAIN,
        f"near-duplicates {mine['near_duplicates']:.3f} > {most:.3f}": (
            mine["near_duplicates"] <= most
        ),
    }
    yield from (f"{text} at {budget:.0%}" for text, is_met in bars.items() if not is_met)


def _means(results: Sequence[Result]) -> dict[str, list[float]]:
    rows = dict.fromkeys(one.selector for one in results)
    return {
        row: [_mean([one for one in results if one.selector == row], column) for column in _COLUMNS]
        for row in rows
    }


def _is(one: Result, row: str, budget: float, kind: str = "") -> bool:
    return one.selector == row and one.budget == budget and kind in {"", _kind(one)}


def _kind(one: Result) -> str:
    return one.labelled.partition("-")[0]


def _mean(results: Iterable[Result], column: str) -> float:
    # Sets without events have no share of events found.
    values = [value for one in results if not math.isnan(value := getattr(one, column))]
    return float(np.mean(values)) if values else math.nan


def _table(first: str, columns: Sequence[str], rows: dict[str, list[float]]) -> str:
    lines = [
        f"| {first} | {' | '.join(column.replace('_', '-') for column in columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    lines += [f"| {row} | {' | '.join(map(_cell, values))} |" for row, values in rows.items()]
    return "\n".join(lines) + "\n"


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
