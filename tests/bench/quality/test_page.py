"""The bench's figures land in the docs, and a bar that is missed is named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench.quality import page
from bench.quality.trial import BUDGETS, EVERY_NTH, RANDOM, Result

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Result("joined-1", "ours", 0.1, 1.0, 1.0, 0.5, 0.2, 0.01, 0.8)
NTH = replace(GOOD, selector=EVERY_NTH, coverage=0.8, near_duplicates=0.2, gain=0.1)
CHANCE = replace(GOOD, selector=RANDOM, coverage=0.7, near_duplicates=0.3, gain=0.0)


def at_all_budgets(*results: Result) -> list[Result]:
    """Returns the results at every budget."""
    return [replace(one, budget=budget) for one in results for budget in BUDGETS]


def test_missed_bars__none() -> None:
    """A choice that is good by every measure misses nothing."""
    assert page.missed_bars(at_all_budgets(GOOD, NTH, CHANCE), "ours") == []


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"coverage": 0.94}, "coverage 0.940 < 0.950 at 5%"),
        ({"events": 0.9}, "events 0.900 < 1.0 at 5%"),
        ({"near_duplicates": 0.11}, "near-duplicates 0.110 > 0.100 at 5%"),
        ({"gain": 0.39}, "gain 0.390 < 0.4 at 5%"),
    ],
)
def test_missed_bars__one(change: dict[str, float], missed: str) -> None:
    """Each bar is missed by itself, and the sentence has both numbers."""
    bad = replace(GOOD, **change)  # type: ignore[arg-type]  # the keys are fields

    assert page.missed_bars(at_all_budgets(bad, NTH, CHANCE), "ours")[0] == missed


def test_put_figures__replaces_only_what_is_between_the_marks(tmp_path: Path) -> None:
    """The sentences around the figures stay; the same figures again change nothing."""
    file = tmp_path / "page.md"
    file.write_text(f"before\n{page.BEGIN}old\n{page.END}after\n", encoding="utf-8")
    figures = page.tables(at_all_budgets(GOOD, NTH, CHANCE), "ours")

    page.put_figures(figures, file)
    first = file.read_text(encoding="utf-8")
    page.put_figures(figures, file)

    assert first.startswith("before\n")
    assert first.endswith("after\n")
    assert "old" not in first
    assert "| ours | 1.00 | 1.00 | 0.01 | 0.50 | 0.20 | 0.80 |" in first
    assert file.read_text(encoding="utf-8") == first
