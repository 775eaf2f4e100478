"""The quickest cells with real processes; `make chaos` plays all of them."""

from __future__ import annotations

import pytest

from tests.chaos.live.cells import CELLS
from tests.chaos.live.runner import run_live
from tests.chaos.live.wire import PLACES

# All of one world, because a world needs longer to open than a cell to be played, and one whose
# leases outlive a machine that is slow.
QUICK = [
    "start: broker cut",
    "schedule: cut after",
    "stop: another run",
    "poll: broker killed",
]
# What must hold for anybody to trust it with an account, and the cell that shows it.
DONE = {
    "all workers killed": "poll: Celery worker killed",
    "a pool child killed": "poll: pool child killed before",
    "the broker killed": "poll: broker killed",
    "the ledger wiped": "poll: FLUSHALL",
    "a worker frozen for longer than the lease, and thawed": "poll: Celery worker frozen",
    "everything killed for good": "poll: everything killed for good",
    "a run begun while the instance is stopping": "stop: another run",
}


def test_cells__are_enough_and_strike_everywhere() -> None:
    """There are at least 40 of them, and no place on the wire is left out."""
    assert len(CELLS) >= 40
    assert {cell.step for cell in CELLS.values()} == set(PLACES)
    assert set(DONE.values()) <= set(CELLS)


@pytest.mark.timeout(600)
def test_cells__keep_every_promise() -> None:
    """Real processes, struck in the middle of a run, leave nothing running, lost or twice."""
    results = list(run_live(QUICK, worlds=2))

    assert len(results) == len(QUICK)
    assert [result for result in results if result.breaks] == []
