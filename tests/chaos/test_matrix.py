from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.cells import FAULTS, STEPS, Cell, cells, why_not
from tests.chaos.crew import Crew, Outcome, crew
from tests.chaos.hunts import HUNTS, hunt
from tests.chaos.table import to_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each fault once, and each step at least once.
SAMPLE = (
    "upload:F1",
    "wait-ssm:F2",
    "start:F3",
    "schedule:F4",
    "poll:F5",
    "send:F6",
    "create dataset:F7",
    "download:F8",
    "schedule:F9",
    "verify-stop:F10",
    "start:F11",
    "poll:F12",
    "start:F13",
    "stop:F14",
    "wait-running:F15",
    "poll:F16",
    "wait-ssm:F17",
    "invocation:F18",
    "stop:F19",
    "poll:F20",
    "enqueue:F1",
)


def cell(name: str) -> Cell:
    """Returns the cell of a name."""
    return Cell(*name.split(":"))


@pytest.fixture(scope="module")
def here() -> Iterator[Crew]:
    """Yields one process that plays, because each needs seconds to begin."""
    with crew(1) as one:
        yield one


@pytest.mark.timeout(600)  # under load the process takes half a minute to begin
def test_play__a_sample_keeps_every_promise(here: Crew) -> None:
    """Whatever strikes, wherever it strikes, no promise breaks."""
    outcomes = here.play([(cell(name), 0) for name in SAMPLE], told=lambda _: None)

    assert [item for item in outcomes if item.breaks] == []
    assert [item.cell for item in outcomes if not item.has_struck] == []


@pytest.mark.timeout(600)  # the same
def test_survivors__none(here: Crew) -> None:
    """The matrix can fail: without a defence a promise breaks, and with it none does."""
    names = ("watchdog", "idempotency key", "adoption by a resumed run")

    assert here.survivors({name: hunt(name, 1) for name in names}) == []


@pytest.mark.timeout(600)  # the same
def test_survivors__with_all_defences(here: Crew) -> None:
    """A mutant is gone when its hunt is over: a process that had one keeps every promise again."""
    name = "watchdog"
    trials = hunt(name, 1)

    assert here.survivors({name: trials}) == []
    assert [item.breaks for item in here.play(trials, told=lambda _: None)] == [()]


def test_sample__has_every_step_and_fault() -> None:
    """Nothing is left out of what `make test` plays."""
    sample = [cell(name) for name in SAMPLE]

    assert {item.step for item in sample} == set(STEPS)
    assert {item.fault for item in sample} == set(FAULTS)


def test_cells__enough() -> None:
    """With five seeds there are more than a thousand injections; every other pair says why not."""
    n_pairs = len(STEPS) * len(FAULTS)
    without = [Cell(step, fault) for step in STEPS for fault in FAULTS]

    assert 5 * len(cells()) > 1_050
    assert len(cells()) + sum(bool(why_not(item)) for item in without) == n_pairs


def test_hunts__name_cells_that_exist() -> None:
    """Each mutant is hunted in cells of the matrix, and there are enough of them."""
    named = {cell(name) for names in HUNTS.values() for name in names}

    assert named <= set(cells())
    assert len(HUNTS) >= 13


def test_to_markdown__shows_counts_times_and_breaks() -> None:
    """A cell shows how often it was struck, the worst time, and breaks that nobody can overlook."""
    good = Outcome(Cell("start", "F1"), 0, has_struck=True, breaks=(), worst_s=12.4, state="")
    bad = Outcome(
        Cell("start", "F2"), 0, has_struck=True, breaks=(("1", "x"),), worst_s=3.0, state=""
    )
    missed = Outcome(Cell("start", "F3"), 0, has_struck=False, breaks=(), worst_s=9.0, state="")

    (row,) = [line for line in to_markdown([good, bad, missed]).splitlines() if "| start |" in line]

    assert row.startswith("| start | 1 · 12 | **1 · 3, 1 breaks** | 0 · 0 |")
