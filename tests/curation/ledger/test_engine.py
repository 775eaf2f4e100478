from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.errors import RunEnded
from curation.models import Progress

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


def planned(ledger: Ledger, n_segments: int = 3) -> int:
    """The generation of a task whose video is cut into segments of 10 frames each."""
    ledger.engine.schedule(RUN)
    generation = ledger.engine.take(RUN, silent_s=10)
    ledger.engine.plan(RUN, generation, n_segments=n_segments, n_frames=10 * n_segments)
    return generation


def test_plan__only_what_is_missing_is_done_again(ledger: Ledger, clock: Clock) -> None:
    """The next generation plans the segments that the one before has not finished."""
    generation = planned(ledger)
    for segment in (0, 1):
        assert ledger.engine.begin(RUN, generation, str(segment)).generation == generation
    ledger.engine.count(RUN, generation, 1, 10, is_end=True)
    clock.forward(11)

    later = ledger.engine.take(RUN, silent_s=10)

    assert ledger.engine.plan(RUN, later, n_segments=3, n_frames=30) == [0, 2]
    assert ledger.engine.begin(RUN, later, "1").generation == 0
    for late in (
        lambda: ledger.engine.begin(RUN, generation, "2"),
        lambda: ledger.engine.count(RUN, generation, 0, 5),
        lambda: ledger.engine.plan(RUN, generation, n_segments=3, n_frames=30),
    ):
        with pytest.raises(RunEnded):
            late()


def test_begin__counts_the_dead_of_each_part(ledger: Ledger, clock: Clock) -> None:
    """Who began a part and neither finished nor left it has died, in whichever generation."""
    generation = planned(ledger)
    ledger.engine.begin(RUN, generation, "0")
    ledger.engine.begin(RUN, generation, "1")
    ledger.engine.leave(RUN, "1")
    assert ledger.engine.begin(RUN, generation, "0").deaths == 1
    clock.forward(11)
    later = ledger.engine.take(RUN, silent_s=10)

    assert ledger.engine.begin(RUN, later, "0").deaths == 2
    assert ledger.engine.begin(RUN, later, "1").deaths == 0


def test_begin__the_choice_belongs_to_one(ledger: Ledger) -> None:
    """Of two copies of a message one becomes the next generation; the other is refused."""
    generation = planned(ledger, n_segments=2)
    ledger.engine.count(RUN, generation, 0, 10, is_end=True)
    assert ledger.engine.begin(RUN, generation, "choice", take=True).generation == 0  # too early
    ledger.engine.count(RUN, generation, 1, 10, is_end=True)

    begun = ledger.engine.begin(RUN, generation, "choice", take=True)

    assert begun.generation == generation + 1
    with pytest.raises(RunEnded):
        ledger.engine.begin(RUN, generation, "choice", take=True)
    ledger.engine.end(RUN, begun.generation, state="COMPLETED")


def test_progress__counts_each_frame_once(ledger: Ledger, clock: Clock) -> None:
    """A segment that is done again counts from its beginning; rate and rest follow from it."""
    generation = planned(ledger)
    for segment, n_frames in ((0, 4), (1, 10), (0, 2), (0, 6)):
        clock.forward(1)
        ledger.engine.count(RUN, generation, segment, n_frames, is_end=n_frames == 10)

    task = ledger.engine.get(RUN)

    assert task is not None
    assert (task.n_segments, task.segments_done) == (3, 1)
    assert task.progress == Progress(
        state="EMBEDDING", frames_done=16, frames_total=30, frames_per_s=4.0, eta_s=3.5
    )


def test_progress__of_what_one_task_does(ledger: Ledger, clock: Clock) -> None:
    """A short video has the same facts without segments; nothing is guessed before it begins."""
    ledger.engine.schedule(RUN)
    waiting = ledger.engine.get(RUN)
    generation = ledger.engine.take(RUN, silent_s=10)
    for n_done in (0, 16, 32):
        ledger.engine.beat(RUN, generation, state="EMBEDDING", n_done=n_done, n_frames=40)
        clock.forward(2)
    ledger.engine.beat(RUN, generation, state="SAMPLING")

    task = ledger.engine.get(RUN)

    assert waiting is not None
    assert task is not None
    assert waiting.progress is None
    assert task.progress == Progress(
        state="SAMPLING", frames_done=32, frames_total=40, frames_per_s=8.0, eta_s=None
    )


def test_unclean__from_the_plan_until_it_is_cleared(ledger: Ledger) -> None:
    """Who plans segments is on the list of those with work files, until somebody clears them."""
    planned(ledger)

    assert ledger.engine.unclean() == [RUN]
    ledger.engine.is_clean(RUN)
    assert ledger.engine.unclean() == []
