from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from curation.ledger.bill import Billed, billed_days, day_of
from curation.states import InstanceState
from tests.support.requests import new_run

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

BOX = "i-0123456789abcdef0"
OTHER_BOX = "i-0fedcba9876543210"
DAY_S = 86_400.0


def test_billed_days__are_empty_at_first(ledger: Ledger) -> None:
    """Nothing has cost anything before an instance was seen running."""
    assert billed_days(ledger.store) == {}


def test_billed_days__split_what_was_held_from_what_was_not(ledger: Ledger, clock: Clock) -> None:
    """A second belongs to the runs that hold the instance then, however many, or to nobody."""
    first, second = new_run(ledger), new_run(ledger)
    ledger.leases.observe(BOX, InstanceState.RUNNING)
    clock.forward(3)
    ledger.leases.acquire(first, BOX)
    ledger.leases.acquire(second, BOX)
    clock.forward(20)
    ledger.leases.observe(BOX, InstanceState.STOPPED)

    (day,) = billed_days(ledger.store).values()
    assert [day.held_s, day.unheld_s] == pytest.approx([20, 3])


def test_billed_days__end_at_midnight(ledger: Ledger, clock: Clock) -> None:
    """An instance that runs for days costs on each of them what it ran on that day."""
    begin = clock()
    today = day_of(begin)
    ledger.leases.observe(BOX, InstanceState.RUNNING)
    clock.forward(2 * DAY_S)
    ledger.leases.observe(BOX, InstanceState.STOPPED)

    days = billed_days(ledger.store)
    first_s = DAY_S - begin % DAY_S
    assert [(day - today).days for day in days] == [0, 1, 2]
    assert [day.unheld_s for day in days.values()] == pytest.approx(
        [first_s, DAY_S, DAY_S - first_s]
    )


def test_billed_days__sum_up_all_instances(ledger: Ledger, clock: Clock) -> None:
    """Two instances cost twice as much."""
    for box in (BOX, OTHER_BOX):
        ledger.leases.observe(box, InstanceState.RUNNING)
    clock.forward(10)
    for box in (BOX, OTHER_BOX):
        ledger.leases.observe(box, InstanceState.STOPPED)

    (day,) = billed_days(ledger.store).values()
    assert day.seconds == pytest.approx(20)


def test_day_of__is_utc() -> None:
    """A day begins at midnight UTC, wherever the machine is."""
    assert day_of(1_795_305_599.0) == date(2026, 11, 21)
    assert day_of(1_795_305_600.0) == date(2026, 11, 22)


def test_billed__counts_all() -> None:
    """What nobody held is paid for too."""
    assert Billed(held_s=2.0, unheld_s=3.0).seconds == 5.0
