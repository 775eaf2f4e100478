"""The quickest cells with real processes; `make chaos` plays all of them."""

from __future__ import annotations

import pytest

from tests.chaos.live.cells import CELLS
from tests.chaos.live.runner import run_live
from tests.chaos.live.wire import PLACES

QUICK = [
    "start: broker cut",
    "schedule: cut after",
    "stop: another run",
    "poll: FLUSHALL",
]


def test_cells__are_enough_and_strike_everywhere() -> None:
    """There are at least 40 of them, and no place on the wire is left out."""
    assert len(CELLS) >= 40
    assert {cell.step for cell in CELLS.values()} == set(PLACES)


@pytest.mark.timeout(300)
def test_cells__keep_every_promise() -> None:
    """Real processes, struck in the middle of a run, leave nothing running, lost or twice."""
    results = list(run_live(QUICK, worlds=2))

    assert len(results) == len(QUICK)
    assert [result for result in results if result.breaks] == []
