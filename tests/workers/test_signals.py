"""What a Celery worker tells of its work: log lines and spans. Each test has a real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from curation.spans import root_id, trace_id
from curation.states import RunState
from pipeline.celery import app
from sandbox.processes import free_port
from tests.support.span_collector import span_collector
from tests.support.waiting import wait_until
from workers.signals import check_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from curation.models import Run
    from curation.wiring import Wiring

ROOT = Path(__file__).parents[2]
CANARY = "canary-5f0c2d81ab"
ENQUEUE = (
    "import sys; from pipeline import RunRequest, enqueue; "
    "print(enqueue(RunRequest(source=sys.argv[1])))"
)


@pytest.fixture
def worker_settings(here: Wiring, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a worker whose runs need no instance, with a secret in each place for one."""
    assert here
    assert redis_client
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "1")
    monkeypatch.setenv("EC2_INSTANCE_ID", "")
    monkeypatch.setenv("SELECTION_BACKEND", "engine")
    monkeypatch.setenv("INSTANCE_POLL_INTERVAL_S", "0.1")
    for name in ("LIGHTLY_TOKEN", "PEXELS_API_KEY", "S3_EXTERNAL_ID"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-key={CANARY}")


@contextmanager
def worker(log: Path, **settings: str) -> Iterator[None]:
    """Runs a Celery worker with two processes until the block ends."""
    command = [sys.executable, "-m", "celery", "-A", "pipeline", "worker", "-c", "2", "-l", "INFO"]
    command += ["-Q", "ingest,compute,selection,reaper", "--without-gossip", "--without-mingle"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=output, env={**os.environ, **settings}
        )
    try:
        wait_until(lambda: " ready." in log.read_text() or None)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def run_that_fails(here: Wiring, **settings: str) -> Run:
    """Asks for a run whose link leads nowhere, and waits for its end."""
    done = subprocess.run(
        [sys.executable, "-c", ENQUEUE, f"https://localhost/clip.mp4?token={CANARY}"],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    run_id = done.stdout.strip()

    def ended() -> Run | None:
        run = here.ledger.runs.get(run_id)
        return run if run.state.is_end else None

    return wait_until(ended)


@pytest.mark.usefixtures("worker_settings")
def test_spans__of_a_run_across_processes(here: Wiring, tmp_path: Path) -> None:
    """One trace for a run, its id derived from the run's; each delivery hangs from the run."""
    with span_collector() as collector:
        with worker(tmp_path / "log", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url):
            run = run_that_fails(here)
        # The worker has ended, so its pool has sent what it had.
        spans = collector.spans()

    (root,) = [span for span in spans if span.name == "run"]
    below = {span.name: span for span in spans if span is not root}
    ids = (f"{trace_id(run.run_id):032x}", f"{root_id(run.run_id):016x}")
    assert {(span.trace_id, span.parent_id or span.span_id) for span in spans} == {ids}
    assert (root.began_at, root.ended_at) == pytest.approx((run.created_at, run.ended_at))
    assert root.facts["curation.state"] == "failed"
    assert below.keys() == {"ingest_video", "start_instance", "reaper.fail_run", "release_instance"}
    assert below["ingest_video"].facts == ingest_facts(run)
    assert below["start_instance"].facts["curation.outcome"] == "skipped"
    assert {name for name, span in below.items() if span.is_error} == {"ingest_video"}
    assert set(collector.headers) == {CANARY}
    assert not [body for body in collector.bodies if CANARY.encode() in body]


@pytest.mark.usefixtures("worker_settings")
def test_lines__as_json_name_the_run(here: Wiring, tmp_path: Path) -> None:
    """Every line of a process that works on a run says which; a dead collector disturbs nobody."""
    log = tmp_path / "log"
    nobody = f"http://127.0.0.1:{free_port()}"
    with worker(log, LOG_FORMAT="json", OTEL_EXPORTER_OTLP_ENDPOINT=nobody):
        run = run_that_fails(here)

    text = log.read_text()
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in text.splitlines() if line.startswith("{")
    ]
    at_work = [line for line in lines if line["message"].startswith(("Step", "Task"))]
    in_pool = [line for line in at_work if line["process"].startswith("ForkPoolWorker")]
    assert run.state is RunState.FAILED
    assert all({"time", "level", "logger", "message", "process"} <= line.keys() for line in lines)
    assert {line["logger"] for line in in_pool} >= {"celery.app.trace", "workers.base"}
    assert {line.get("run_id") for line in in_pool} == {run.run_id}
    assert {(line["task"], line.get("step")) for line in in_pool} >= {
        ("ingest.ingest_video", "ingest_video"),
        ("reaper.fail_run", None),
    }
    assert CANARY not in text


def ingest_facts(run: Run) -> dict[str, str | int]:
    """All attributes of the span of an ingest that failed at once."""
    facts: dict[str, str | int] = {
        "run_id": run.run_id,
        "task": "ingest.ingest_video",
        "step": "ingest_video",
        "queue": "ingest",
        "delivery": 1,
        "attempt": 1,
        "outcome": "failed",
    }
    return {f"curation.{name}": value for name, value in facts.items()}


def test_check_settings__refuses_a_format_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever misspells it is told at the start, in one sentence that names the variable."""
    monkeypatch.setenv("LOG_FORMAT", "xml")

    with pytest.raises(SystemExit, match=r"LOG_FORMAT: 'xml' is not usable.*'text' or 'json'"):
        check_settings(conf=app.conf)
