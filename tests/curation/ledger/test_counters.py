from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.ledger import keys
from curation.ledger.counters import BOUNDS_S, Counters
from curation.ledger.steps import HOLD_S, Turn
from curation.models import RunError, Video
from curation.states import Outcome, RunState, StepName, StepState
from tests.support.requests import new_run

if TYPE_CHECKING:
    from redis import Redis

    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

VIDEO = Video(uri="s3://b/v.mp4", size_bytes=7_000_000_000, sha256="0" * 64, source_url="/v.mp4")


def do_step(ledger: Ledger, run_id: str, step: StepName, state: StepState) -> None:
    """Does a step in one delivery."""
    turn = Turn(run_id, step, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    assert ledger.steps.leave(turn, state)


def do_run(ledger: Ledger, *, ingests: bool = True, **facts: str) -> str:
    """Does a run that chooses 3 of 30 frames."""
    run_id = new_run(ledger)
    ledger.runs.record_video(run_id, VIDEO)
    if ingests:
        do_step(ledger, run_id, StepName.INGEST_VIDEO, StepState.SUCCEEDED)
    ledger.runs.record_selection(run_id, n_frames=30, n_selected=3)
    ledger.runs.update(run_id, **facts)
    ledger.runs.decide(run_id, Outcome.COMPLETED)
    assert ledger.runs.end(ledger.runs.get(run_id), released=StepState.SUCCEEDED)
    return run_id


def test_leave__notes_how_long_the_step_took(ledger: Ledger, clock: Clock) -> None:
    """From its first delivery to its end, in the bucket of that duration; waiting is no end."""
    run_id, step = new_run(ledger), StepName.RUN_SELECTION
    turn = Turn(run_id, step, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    ledger.steps.leave(turn, StepState.WAITING, next_number=1)
    clock.forward(5)
    last = Turn(run_id, step, owner="b", number=1)
    ledger.steps.begin(last, implies=None, after_outcome=False)

    before = Counters.read(ledger.store).histogram("step_seconds", step, "succeeded")
    ledger.steps.leave(last, StepState.SUCCEEDED)
    after = Counters.read(ledger.store).histogram("step_seconds", step, "succeeded")

    assert before.counts[-1] == 0
    assert dict(zip(BOUNDS_S, after.counts, strict=False))[4] == 0
    assert dict(zip(BOUNDS_S, after.counts, strict=False))[8] == after.counts[-1] == 1
    assert after.sum_s == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("took_s", "bucket"), [(0.0, 0), (1.0, 0), (1.1, 1), (2.0, 1), (65536.0, 16), (1e6, 17)]
)
def test_histogram__bounds_belong_to_the_lower_bucket(
    took_s: float, bucket: int, ledger: Ledger, clock: Clock
) -> None:
    """Less than or equal, as Prometheus has it; what is longer than all is only in the last."""
    run_id = new_run(ledger)
    turn = Turn(run_id, StepName.INGEST_VIDEO, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    clock.forward(took_s)
    ledger.steps.leave(turn, StepState.FAILED)

    found = Counters.read(ledger.store).histogram("step_seconds", turn.step, "failed")

    assert found.counts == (0,) * bucket + (1,) * (18 - bucket)


def test_leave__counts_retries_and_looks_apart(ledger: Ledger) -> None:
    """A look that finds nothing yet is no retry."""
    run_id, step = new_run(ledger), StepName.START_INSTANCE
    for number, problem in enumerate(["", "no capacity", ""]):
        turn = Turn(run_id, step, owner="a", number=number)
        ledger.steps.begin(turn, implies=None, after_outcome=False)
        ledger.steps.leave(turn, StepState.WAITING, next_number=number + 1, problem=problem)

    counters = Counters.read(ledger.store)

    assert (counters.total("attempts", step), counters.total("looks", step)) == (1, 2)


def test_begin__counts_deliveries_that_died(ledger: Ledger, clock: Clock) -> None:
    """Whoever takes a step over from a dead delivery counts it."""
    run_id, step = new_run(ledger), StepName.INGEST_VIDEO
    for owner in "ab":
        turn = Turn(run_id, step, owner=owner, number=0)
        ledger.steps.begin(turn, implies=None, after_outcome=False)
        clock.forward(HOLD_S + 1)

    assert Counters.read(ledger.store).total("deaths", step) == 1


def test_end__counts_the_run_once(ledger: Ledger) -> None:
    """Bytes, frames and the end are counted when the run ends, and not when it ends again."""
    run_id = do_run(ledger)
    ledger.runs.end(ledger.runs.get(run_id), released=StepState.SUCCEEDED)

    counters = Counters.read(ledger.store)

    assert counters.labelled("ended") == {("completed", ""): 1}
    assert counters.total("bytes") == VIDEO.size_bytes
    assert (counters.total("frames_seen"), counters.total("frames_selected")) == (30, 3)
    assert counters.histogram("run_seconds", "completed").counts[-1] == 1


def test_end__counts_only_the_runs_own_work(ledger: Ledger) -> None:
    """Neither a video nor a selection that was taken over from an earlier run counts twice."""
    do_run(ledger, ingests=False, same_as="earlier")

    counters = Counters.read(ledger.store)

    assert counters.total("bytes") == counters.total("frames_selected") == 0


def test_end__counts_by_code(ledger: Ledger) -> None:
    """A failed run counts under the stable code of its error."""
    run_id = new_run(ledger)
    ledger.runs.decide(run_id, Outcome.FAILED, RunError(code="source:http:404", message="gone"))
    ledger.runs.end(ledger.runs.get(run_id), released=StepState.SKIPPED)

    ended = Counters.read(ledger.store).labelled("ended")

    assert ended == {(RunState.FAILED.value, "source:http:404"): 1}


def test_end__bounds_the_number_of_codes(ledger: Ledger, redis_client: Redis) -> None:
    """However many codes others invent, the metrics stay small; no end is lost."""
    redis_client.hset(keys.COUNTERS, mapping={f"ended|failed|{n}": 1 for n in range(1000)})
    run_id = new_run(ledger)
    ledger.runs.decide(run_id, Outcome.FAILED, RunError(code="new", message="gone"))
    ledger.runs.end(ledger.runs.get(run_id), released=StepState.SKIPPED)

    ended = Counters.read(ledger.store).labelled("ended")

    assert ("failed", "new") not in ended
    assert ended["failed", "other"] == 1
