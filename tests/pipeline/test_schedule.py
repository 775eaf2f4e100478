from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from curation.models import RunRequest
from curation.schedules import Each, Schedule
from curation.states import Backend
from pipeline.schedule import first_state, look

if TYPE_CHECKING:
    from redis import Redis

    from curation.ledger.ledger import Ledger

CRON = "0 0 1 1 *"  # its slot is the same for all, whenever the tests run
BEFORE = "2020-01-01T00:00Z"


def test_look__enqueues_one_run_a_slot_with_the_schedule_s_own_request(ledger: Ledger) -> None:
    """A slot that has come makes one run, however often is looked; its parameters are its own."""
    request = RunRequest(source="/clip.mp4", proportion_samples=0.3, selection_backend="engine")
    add(ledger, Schedule(name="nightly", cron=CRON, request=request), slot=BEFORE)

    look()
    look()

    (run,) = ledger.runs.newest(9)
    slot = f"{datetime.now(UTC).year}-01-01T00:00Z"
    assert run.idempotency_key == f"schedule:nightly:{slot}"
    assert (run.request.source, run.request.proportion_samples) == ("/clip.mp4", 0.3)
    assert run.request.selection_backend is Backend.ENGINE
    assert ledger.schedules.state("nightly").slot == slot


def test_look__two_that_meet_make_one_run(ledger: Ledger) -> None:
    """A second beat that serves the same slot, because it has not seen the first, makes no run."""
    add(ledger, Schedule(name="nightly", cron=CRON, request=RunRequest()), slot=BEFORE)
    look()
    ledger.schedules.note("nightly", slot=BEFORE)

    look()

    assert len(ledger.runs.newest(9)) == 1


def test_look__a_new_schedule_waits_for_its_next_slot(ledger: Ledger) -> None:
    """What is added, or resumed, does not make up for slots that were before."""
    schedule = Schedule(name="nightly", cron=CRON, request=RunRequest())
    ledger.schedules.note("nightly", **first_state(schedule))
    ledger.schedules.save(schedule)

    look()

    assert ledger.runs.newest(9) == []


@pytest.mark.parametrize("gone", ["paused", "removed"])
def test_look__leaves_what_is_paused_or_removed(gone: str, ledger: Ledger) -> None:
    """Nothing is asked for by a schedule that is paused or removed."""
    schedule = Schedule(name="nightly", cron=CRON, request=RunRequest(), paused=gone == "paused")
    add(ledger, schedule, slot=BEFORE)
    if gone == "removed":
        ledger.schedules.remove("nightly")

    look()

    assert ledger.runs.newest(9) == []


def test_look__an_error_of_one_does_not_stop_the_others(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """A schedule that cannot be served says why, and the others are served."""
    add(ledger, Schedule(name="a", cron=CRON, request=RunRequest(source="ftp://x/y")), slot=BEFORE)
    add(ledger, Schedule(name="b", cron=CRON, request=RunRequest(source="/b.mp4")), slot=BEFORE)

    with caplog.at_level(logging.ERROR, "pipeline.schedule"):
        look()

    (run,) = ledger.runs.newest(9)
    assert run.request.source == "/b.mp4"
    assert "'ftp://x/y' is of no known kind" in str(ledger.schedules.state("a").problem)
    assert "Schedule not served" in caplog.text


def test_look__asks_the_ingest_worker_to_look_at_a_source(
    ledger: Ledger, redis_client: Redis
) -> None:
    """Paths are those of the ingest worker, so its queue gets the look, and not too often."""
    each = Each(every_s=60.0)
    add(ledger, Schedule(name="inbox", each=each, request=RunRequest(source="/inbox")), slot="")

    look()
    ledger.schedules.note("inbox", looked_at=repr(ledger.store.now()))
    look()

    (message,) = redis_client.lrange("ingest", 0, -1)
    assert json.loads(message)["headers"]["task"] == "schedule.enqueue_new"


def test_schedule__survives_the_ledger_with_all_its_fields(ledger: Ledger) -> None:
    """A schedule is read as it was written, its selection config too."""
    config = {
        "n_samples": 5,
        "strategies": [{"input": {"type": "RANDOM"}, "strategy": {"type": "WEIGHTS"}}],
    }
    request = RunRequest(source="/inbox", selection_config=config, skip_curated=True)
    schedule = Schedule(
        name="inbox", request=request, each=Each(at_once=3, limit=7, links=("/a.mp4",))
    )

    ledger.schedules.save(schedule)

    assert ledger.schedules.get("inbox") == schedule


def add(ledger: Ledger, schedule: Schedule, *, slot: str) -> None:
    """Writes a schedule whose latest slot was this one."""
    ledger.schedules.note(schedule.name, slot=slot)
    ledger.schedules.save(schedule)
