from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.errors import CurationError, OperatorError, TransientError
from tests.support.lightly import LIST, SCHEDULE, TOKEN

if TYPE_CHECKING:
    from curation.models import Run
    from tests.support.hosted import Hosted

CREATE = "create_dataset"
CONFIG = "create_docker_worker_config_vx"
DATASOURCE = "update_datasource_by_dataset_id"
FIND = "get_datasets_query_by_name"
# What makes an answer that says nothing, although the call may have done its work.
AMBIGUOUS = ["cut-after", "truncated", "garbage"]


def schedule(hosted: Hosted, run: Run, *, tries: int = 1) -> str:
    """Schedules as the task would: each try in a process of its own, until one succeeds."""
    for left in reversed(range(tries)):
        try:
            return hosted.backend().schedule(run)
        except TransientError:
            if not left:
                raise
    raise AssertionError


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_schedule__answer_lost(hosted: Hosted, kind: str) -> None:
    """A schedule that acted without an answer is found again, not repeated."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": SCHEDULE, "kind": kind})

    scheduled_run_id = schedule(hosted, run, tries=2)

    (scheduled,) = hosted.lightly.scheduled(hosted.known(run).dataset_id or "")
    assert scheduled["id"] == scheduled_run_id
    assert hosted.known(run).scheduled_run_id == scheduled_run_id


def test_schedule__answer_lost_and_taken(hosted: Hosted) -> None:
    """It is found even when a Lightly Worker has carried it out meanwhile."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": SCHEDULE, "kind": "cut-after"})
    with pytest.raises(TransientError):
        schedule(hosted, run)
    dataset_id = hosted.known(run).dataset_id or ""
    (scheduled,) = hosted.lightly.scheduled(dataset_id)
    hosted.lightly.take(dataset_id, scheduled["id"])

    assert schedule(hosted, run) == scheduled["id"]
    assert hosted.lightly.n_acted(SCHEDULE) == 1


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        *((name, "cut-after") for name in (FIND, CREATE, DATASOURCE, CONFIG, LIST)),
        *((name, "cut-before") for name in (CREATE, DATASOURCE, CONFIG, SCHEDULE)),
    ],
)
def test_schedule__any_answer_lost(hosted: Hosted, operation: str, kind: str) -> None:
    """Whichever answer is lost, one dataset and one run come of it."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": operation, "kind": kind})

    scheduled_run_id = schedule(hosted, run, tries=3)

    assert hosted.lightly.n_acted(CREATE) == 1
    assert hosted.lightly.n_acted(SCHEDULE) == 1
    assert hosted.known(run).scheduled_run_id == scheduled_run_id


def test_schedule__newer_service(hosted: Hosted) -> None:
    """Fields that the client does not know do no harm in any answer."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": "*", "kind": "extra-field", "times": None})

    schedule(hosted, run)

    assert hosted.lightly.n_acted(SCHEDULE) == 1


def test_schedule__throttled(hosted: Hosted) -> None:
    """429 is for the task to wait for, as long as Lightly says; nobody sleeps meanwhile."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": LIST, "code": "429", "seconds": 7.0, "times": 2})

    with pytest.raises(TransientError) as caught:
        schedule(hosted, run)
    schedule(hosted, run, tries=2)

    assert caught.value.retry_after_s == 7.0
    assert len(hosted.lightly.calls(LIST)) == 3
    assert hosted.lightly.n_acted(SCHEDULE) == 1


@pytest.mark.parametrize("code", ["401", "403"])
def test_schedule__refused_token(hosted: Hosted, code: str) -> None:
    """A token that is refused is for the operator to mend, and is named, not shown."""
    hosted.lightly.faults({"operation": LIST, "code": code, "message": f"Bad token {TOKEN}"})

    with pytest.raises(OperatorError, match="LIGHTLY_TOKEN") as caught:
        schedule(hosted, hosted.new_run())

    assert caught.value.code == "lightly:denied"
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "ours", "expected"),
    [
        ("400", "lightly:refused", OperatorError),
        ("402", "lightly:refused", OperatorError),
        ("404", "lightly:not-found", OperatorError),
        ("409", "lightly:409", TransientError),
        ("422", "lightly:refused", OperatorError),
        ("500", "lightly:500", TransientError),
        ("503", "lightly:503", TransientError),
    ],
)
def test_schedule__other_refusals(
    hosted: Hosted, code: str, ours: str, expected: type[CurationError]
) -> None:
    """Each status is somebody's to mend, and Lightly's own words are passed on."""
    hosted.lightly.faults({"operation": SCHEDULE, "code": code, "message": "Not this time."})

    with pytest.raises(expected, match=f"{code}.*Not this time") as caught:
        schedule(hosted, hosted.new_run())

    assert caught.value.code == ours


def test_schedule__no_answer_in_time(hosted: Hosted) -> None:
    """Nobody waits for minutes; and whoever may still be at it is left alone for a while."""
    backend, run = hosted.backend(), hosted.new_run()
    client = backend._api._connection._api.rest_client
    assert client.timeout == 10.0
    client.timeout = 0.3
    hosted.lightly.faults({"operation": SCHEDULE, "kind": "hang"})

    with pytest.raises(TransientError, match="did not answer") as caught:
        backend.schedule(run)

    assert caught.value.retry_after_s == 30.0
    assert backend.schedule(run) == hosted.known(run).scheduled_run_id


def test_schedule__no_server(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that cannot be reached is tried again."""
    monkeypatch.setenv("LIGHTLY_SERVER_LOCATION", "http://127.0.0.1:9")

    with pytest.raises(TransientError, match="LIGHTLY_SERVER_LOCATION") as caught:
        schedule(hosted, hosted.new_run())

    assert caught.value.code == "lightly:unreachable"


def test_schedule__region_that_lightly_does_not_know(hosted: Hosted) -> None:
    """A setting that only the client can judge is named."""
    with pytest.raises(OperatorError, match=r"S3_REGION \('moon-1'\)") as caught:
        hosted.backend(region="moon-1").schedule(hosted.new_run())

    assert caught.value.code == "config:lightly"
