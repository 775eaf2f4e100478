from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from celery.exceptions import Ignore

from curation.ledger import keys
from curation.ledger.steps import Turn
from curation.states import StepName
from curation.steps.verdict import SUCCEEDED, Verdict
from tests.support.requests import new_run
from workers.base import Delivery, wiring
from workers.compute import release_instance, start_instance
from workers.engine import select_frames
from workers.ingest import ingest_video
from workers.reaper import fail_run, reap_runs, reap_uploads
from workers.selection import run_selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery import Task
    from redis import Redis

    from curation.wiring import Wiring

LOST = "20261122-093015-5f0c2d81ab"
TASKS = [ingest_video, start_instance, run_selection, release_instance, select_frames, fail_run]


@pytest.fixture(autouse=True)
def _own_wiring(here: Wiring, redis_client: Redis) -> Iterator[None]:
    """The tasks' own wiring leads to an empty ledger."""
    assert here
    assert redis_client.dbsize() == 0
    wiring.cache_clear()
    yield
    wiring.cache_clear()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_task__of_an_unknown_run_is_dropped(
    task: Task[..., None], caplog: pytest.LogCaptureFixture, redis_client: Redis
) -> None:
    """After FLUSHALL a message is one warning: no error, no result, no retry, nothing written."""
    with caplog.at_level(logging.WARNING):
        ended = task.apply(args=(LOST,), throw=True)

    assert str(ended.state) == "IGNORED"
    (line,) = caplog.records
    assert line.getMessage() == f"Message dropped: run {LOST} is not known any more"
    assert (line.levelname, line.exc_info) == ("WARNING", None)
    assert redis_client.dbsize() == 0


def test_task__whose_run_is_lost_while_it_works_brings_nothing_back(
    here: Wiring, redis_client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """What a delivery writes after FLUSHALL is no run: its next message finds none."""
    run_id = new_run(here.ledger)

    def work(delivery: Delivery) -> Verdict:
        redis_client.flushall()
        here.ledger.runs.update(run_id, missed_looks=0)
        here.ledger.runs.record_selection(run_id, state="STARTED")
        here.ledger.runs.count_missed_look(run_id)
        here.upload_ledger.place(run_id, "s3://bucket/clip.mp4")
        assert here.upload_ledger.begin(run_id, "upload-1") == ""
        assert delivery.run.run_id == run_id
        return SUCCEEDED

    start_instance.perform(run_id, work)

    assert redis_client.keys("curation:*") == []
    assert str(start_instance.apply(args=(run_id,), throw=True).state) == "IGNORED"
    assert "is not known any more" in caplog.text


def test_task__whose_run_is_lost_as_it_begins_is_dropped(here: Wiring, redis_client: Redis) -> None:
    """A step that finds its run gone while it works is dropped too, and fails nothing."""
    run_id = new_run(here.ledger)

    def look_again(_: Delivery) -> Verdict:
        redis_client.flushall()
        here.ledger.runs.get(run_id)
        return SUCCEEDED

    with pytest.raises(Ignore):
        start_instance.perform(run_id, look_again)


def test_reaper__goes_on_after_the_ledger_was_wiped(here: Wiring, redis_client: Redis) -> None:
    """A round over an empty ledger finds nothing to do, and does not fail."""
    new_run(here.ledger)
    redis_client.flushall()

    assert reap_runs() + reap_uploads() == []


def test_update__leaves_an_ended_run_as_it_is(here: Wiring, redis_client: Redis) -> None:
    """A delivery that was frozen until after the end rewrites nothing."""
    run_id = new_run(here.ledger)
    here.ledger.steps.begin(
        Turn(run_id, StepName.START_INSTANCE, owner="a", number=0),
        implies=None,
        after_outcome=False,
    )
    redis_client.hset(keys.run_key(run_id), "ended_at", "1.0")

    here.ledger.runs.record_selection(run_id, state="COMPLETED", n_selected=3)

    assert here.ledger.runs.get(run_id).selection.state is None
