from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.errors import RunEnded

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

RUN = "20270115-080000-0123456789"


def test_schedule__once(ledger: Ledger) -> None:
    """A run has one engine task, however often it is scheduled."""
    assert ledger.engine.schedule(RUN)
    assert not ledger.engine.schedule(RUN)


def test_take__one_generation_at_a_time(ledger: Ledger, clock: Clock) -> None:
    """A copy of the message finds the task taken; after a silence the next generation has it."""
    ledger.engine.schedule(RUN)

    assert ledger.engine.take(RUN, silent_s=10) == 1
    assert ledger.engine.take(RUN, silent_s=10) == 0
    clock.forward(11)
    assert ledger.engine.take(RUN, silent_s=10) == 2

    with pytest.raises(RunEnded):
        ledger.engine.beat(RUN, 1, n_done=5)
    ledger.engine.beat(RUN, 2, n_done=7)
    task = ledger.engine.get(RUN)
    assert task is not None
    assert task.n_done == 7


def test_take__never_after_the_end(ledger: Ledger, clock: Clock) -> None:
    """A task that has ended is not taken again, and its end does not change."""
    ledger.engine.schedule(RUN)
    generation = ledger.engine.take(RUN, silent_s=10)
    ledger.engine.end(RUN, generation, state="COMPLETED", n_selected=3)
    clock.forward(1000)

    assert ledger.engine.take(RUN, silent_s=10) == 0
    with pytest.raises(RunEnded):
        ledger.engine.end(RUN, generation, state="FAILED")


def test_cancel__reaches_whoever_works_on_it(ledger: Ledger) -> None:
    """A canceled task is not taken, and who is at it learns so at the next sign of life."""
    ledger.engine.schedule(RUN)
    generation = ledger.engine.take(RUN, silent_s=10)
    ledger.engine.cancel(RUN)

    with pytest.raises(RunEnded):
        ledger.engine.beat(RUN, generation)
    assert ledger.engine.take(RUN, silent_s=10) == 0
    task = ledger.engine.get(RUN)
    assert task is not None
    assert task.state == "CANCELED"


def test_take__unknown_task(ledger: Ledger) -> None:
    """A message without a task in the ledger does nothing."""
    assert ledger.engine.take(RUN, silent_s=10) == 0
    assert ledger.engine.get(RUN) is None


def test_cancel__does_not_change_an_end(ledger: Ledger) -> None:
    """What is completed stays completed, whoever cancels it late."""
    ledger.engine.schedule(RUN)
    ledger.engine.end(RUN, ledger.engine.take(RUN, silent_s=10), state="COMPLETED")
    ledger.engine.cancel(RUN)

    task = ledger.engine.get(RUN)
    assert task is not None
    assert task.state == "COMPLETED"
