from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

import pipeline
from curation.errors import OperatorError, RequestError
from curation.ledger import keys
from curation.ledger.store import LedgerUnavailable
from curation.models import RunRequest
from curation.states import Backend, Outcome, RunState, StepState
from pipeline import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

REQUEST = RunRequest(source="/clip.mp4", selection_backend=Backend.ENGINE)
BOX = "i-0123456789abcdef0"


@pytest.fixture
def broker(
    broker_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Redis]:
    """An empty broker and ledger, to which this process's client points."""
    monkeypatch.setenv("REDIS_URL", broker_url)
    monkeypatch.setenv("EC2_INSTANCE_ID", BOX)
    _forget()
    yield redis_client
    _forget()


def _forget() -> None:
    client.settings.cache_clear()
    client.ledger.cache_clear()


def published(broker: Redis, queue: str) -> list[str]:
    """Names of the tasks that wait in a queue."""
    messages = [json.loads(text) for text in broker.lrange(queue, 0, -1)]
    return [message["headers"]["task"] for message in messages]


def test_enqueue__writes_the_ledger_and_publishes_the_chord(broker: Redis) -> None:
    """A run is in the ledger, filled from the settings, and its two header tasks are sent."""
    run_id = pipeline.enqueue(REQUEST)

    run = pipeline.status(run_id)
    assert run.state is RunState.PENDING
    assert run.request.proportion_samples == 0.1
    assert published(broker, "ingest") == ["ingest.ingest_video"]
    assert published(broker, "compute") == ["compute.start_instance"]


def test_enqueue__same_key_publishes_once(broker: Redis) -> None:
    """The same idempotency key gives the same run, and nothing is published again."""
    request = REQUEST.model_copy(update={"idempotency_key": "k"})

    first, second = pipeline.enqueue(request), pipeline.enqueue(request)

    assert first == second
    assert published(broker, "ingest") == ["ingest.ingest_video"]


def test_enqueue__refuses_a_source_of_no_kind(broker: Redis) -> None:
    """What no step could fetch is refused before anything is written."""
    with pytest.raises(RequestError, match=r"'ftp://host/clip\.mp4' is of no known kind"):
        pipeline.enqueue(RunRequest(source="ftp://host/clip.mp4"))

    assert broker.keys("curation:*") == []


@pytest.mark.usefixtures("broker")
def test_enqueue__says_soon_that_redis_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without Redis there is one sentence, soon, that names the address and not the password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("REDIS_URL", f"redis://:canary@127.0.0.1:{port}/0")
    began = time.monotonic()

    with pytest.raises(LedgerUnavailable) as caught:
        pipeline.enqueue(REQUEST)

    assert time.monotonic() - began < 20
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.usefixtures("broker")
def test_wait__gives_up_in_time() -> None:
    """A run that goes on is a TimeoutError that names it; the run itself is left alone."""
    run_id = pipeline.enqueue(REQUEST)

    with pytest.raises(TimeoutError, match=f"{run_id} is still pending after 0.1 s"):
        pipeline.wait(run_id, timeout_s=0.1)

    assert pipeline.status(run_id).state is RunState.PENDING


@pytest.mark.usefixtures("broker")
def test_wait__returns_any_end_state() -> None:
    """A failed run is an answer, not an exception."""
    run_id = pipeline.enqueue(REQUEST)
    ended(run_id, Outcome.FAILED)

    assert pipeline.wait(run_id, timeout_s=1).state is RunState.FAILED


@pytest.mark.usefixtures("broker")
def test_cancel__decides_at_once_and_only_once() -> None:
    """A canceled run has its outcome before any Celery worker hears of it; an ended one stays."""
    run_id = pipeline.enqueue(REQUEST)

    run = pipeline.cancel(run_id)

    assert (run.state, run.outcome) == (RunState.FINISHING, Outcome.CANCELED)
    ended(run_id, Outcome.COMPLETED)
    assert pipeline.cancel(run_id).state is RunState.CANCELED


def test_resume__only_what_failed_or_was_canceled(broker: Redis) -> None:
    """A run that goes on cannot be resumed; an ended one gets a new run that names it."""
    run_id = pipeline.enqueue(REQUEST)
    with pytest.raises(RequestError, match="is pending"):
        pipeline.resume(run_id)
    ended(run_id, Outcome.FAILED)

    resumed = pipeline.status(pipeline.resume(run_id))

    assert resumed.resumed_from == run_id
    assert resumed.request == pipeline.status(run_id).request
    assert published(broker, "ingest") == ["ingest.ingest_video"] * 2


def ended(run_id: str, outcome: Outcome) -> None:
    """Brings a run into its end state, as its last step would."""
    ledger = client.ledger()
    ledger.runs.decide(run_id, outcome)
    ledger.runs.end(ledger.runs.get(run_id), released=StepState.SUCCEEDED)


def test_enqueue__refuses_what_the_budget_does_not_bear(
    broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a spent budget nothing new is written; a known key, and a run without instance, go."""
    monkeypatch.setenv("INSTANCE_PRICE_PER_HOUR", "1")
    monkeypatch.setenv("BUDGET_PER_MONTH", "2")
    monkeypatch.setenv("BUDGET_ACTION", "refuse")
    keyed = REQUEST.model_copy(update={"idempotency_key": "nightly"})
    run_id = pipeline.enqueue(keyed)
    today = int(client.ledger().store.now() // 86_400)
    broker.hset(keys.BILLED, f"{today}|held", 7200)

    with pytest.raises(OperatorError) as caught:
        pipeline.enqueue(REQUEST)

    assert caught.value.code == "budget:reached"
    assert broker.zcard(keys.RUNS) == 1
    assert pipeline.enqueue(keyed) == run_id
    monkeypatch.delenv("EC2_INSTANCE_ID")
    _forget()
    assert pipeline.enqueue(REQUEST) != run_id
