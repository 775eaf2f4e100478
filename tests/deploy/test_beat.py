"""However many beats there are, and however late, a slot of the schedule has one run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from curation.models import RunRequest
from curation.schedules import Each, Schedule
from pipeline.cron import last_slot
from tests.support.compose import ROOT
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

# Its slot is the same for all, whenever the tests run.
CRON = "0 0 1 1 *"
ENQUEUE = """
from pipeline.schedule import enqueue_scheduled
print("ready", flush=True)
input()
enqueue_scheduled()
"""
SHOW = """
import json
from pipeline.celery import app
entry = app.conf.beat_schedule.get("enqueue")
print(json.dumps(entry and [entry["task"], str(entry["schedule"])]))
"""
# What a beat leaves that was killed before the slot: the time of its last message.
GO_AWAY = """
import sys
from datetime import datetime, timezone
from celery.beat import PersistentScheduler
from pipeline.celery import app
scheduler = PersistentScheduler(app, schedule_filename=sys.argv[1])
before = datetime.fromtimestamp(float(sys.argv[2]), tz=timezone.utc)
for entry in scheduler.schedule.values():
    entry.last_run_at = before
scheduler.close()
"""


@pytest.fixture
def settings(valkey: str, redis_client: Redis) -> dict[str, str]:
    """The variables of a process of the pipeline with an empty broker."""
    assert redis_client.dbsize() == 0
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "PYTHON_DOTENV_DISABLED": "1",
        "REAP_INTERVAL_S": "3600",
        "REDIS_URL": valkey,
        "SCHEDULE_CRON": CRON,
        "VIDEO_SOURCE": "/clip.mp4",
    }


@pytest.fixture
def ledger(redis_client: Redis) -> Ledger:
    """The ledger that these processes write."""
    return Ledger.over(Store(redis_client), retention_days=1, lease_ttl_s=60)


def test_enqueue_scheduled__twice_at_once_gives_one_run(
    settings: dict[str, str], redis_client: Redis
) -> None:
    """Two beats at the same moment enqueue one run, and its messages are sent once."""
    with ExitStack() as stack:
        both = [stack.enter_context(python(ENQUEUE, settings)) for _ in range(2)]
        for process in both:
            assert process.stdout
            process.stdout.readline()

        for process in both:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()

    assert [process.returncode for process in both] == [0, 0]
    assert waiting(redis_client, "ingest") == ["ingest.ingest_video"]
    assert waiting(redis_client, "compute") == ["compute.start_instance"]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [(CRON, ["schedule.enqueue_scheduled", f"<crontab: {CRON} (m/h/dM/MY/d)>"]), ("", None)],
)
def test_schedule__is_the_setting_s(
    cron: str, expected: list[str] | None, settings: dict[str, str]
) -> None:
    """Beat enqueues runs when SCHEDULE_CRON says, and none without it."""
    with python(SHOW, settings | {"SCHEDULE_CRON": cron}) as process:
        shown, _ = process.communicate(timeout=60)

    assert json.loads(shown) == expected


def test_beat__late_sends_what_is_due_and_two_make_one_run(
    settings: dict[str, str], redis_client: Redis, tmp_path: Path
) -> None:
    """Two beats that were away when the slot came send it when they are back; it has one run."""
    slot = last_slot(CRON, datetime.now(UTC))
    for name in ("first", "second"):
        with python(GO_AWAY, settings, str(tmp_path / name), str(slot.timestamp() - 60)) as process:
            assert process.wait(timeout=60) == 0

    with ExitStack() as stack:
        for name in ("first", "second"):
            arguments = ("beat", "-s", str(tmp_path / name), "--pidfile=")
            stack.enter_context(celery(*arguments, settings=settings))
        wait_until(lambda: waiting(redis_client, "reaper").count("schedule.enqueue_scheduled") == 2)
    done = re.compile(r"schedule\.enqueue_scheduled\[[\w-]+\] succeeded")
    with celery("worker", "-Q", "reaper", "-c", "2", "-l", "INFO", settings=settings) as log:
        wait_until(lambda: len(done.findall(log.read_text())) == 2)

    (key,) = redis_client.scan_iter("curation:idempotency:*")
    assert key.endswith(f":schedule:{CRON}:{slot:%Y-%m-%dT%H:%MZ}")
    assert waiting(redis_client, "ingest") == ["ingest.ingest_video"]


def test_beat__serves_schedules_that_change_while_it_runs(
    settings: dict[str, str], ledger: Ledger
) -> None:
    """A schedule that is added, changed or removed counts at once; nothing is started anew."""
    fast = settings | {"REAP_INTERVAL_S": "0.5", "SCHEDULE_CRON": ""}
    looked = re.compile(r"schedule\.look\[[\w-]+\] succeeded")
    with beat_and_worker(fast, "reaper") as log:
        wait_until(lambda: looked.search(log.read_text()), limit_s=60.0)

        due(ledger, RunRequest(source="/first.mp4"))
        wait_until(lambda: sources(ledger) == ["/first.mp4"])
        due(ledger, RunRequest(source="/second.mp4"), name="other")
        wait_until(lambda: sources(ledger) == ["/first.mp4", "/second.mp4"])
        ledger.schedules.remove("nightly")
        ledger.schedules.remove("other")
        seen = len(looked.findall(log.read_text()))
        wait_until(lambda: len(looked.findall(log.read_text())) >= seen + 2)

    assert sources(ledger) == ["/first.mp4", "/second.mp4"]


def test_beat__has_a_folder_watched(
    settings: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    """A video that is put into a watched folder gets its run, by the ingest's Celery worker."""
    fast = settings | {"REAP_INTERVAL_S": "0.5", "SCHEDULE_CRON": ""}
    watch = Schedule(name="inbox", request=RunRequest(source=str(tmp_path)), each=Each(every_s=0.5))
    ledger.schedules.save(watch)
    with beat_and_worker(fast, "reaper,ingest"):
        wait_until(lambda: ledger.schedules.state("inbox").looked_at, limit_s=60.0)
        (tmp_path / "new.mp4").write_bytes(b"video")

        wait_until(lambda: sources(ledger) == [(tmp_path / "new.mp4").as_uri()])


def due(ledger: Ledger, request: RunRequest, *, name: str = "nightly") -> None:
    """Adds a schedule whose slot has come."""
    ledger.schedules.note(name, slot="2020-01-01T00:00Z")
    ledger.schedules.save(Schedule(name=name, cron=CRON, request=request))


def sources(ledger: Ledger) -> list[str]:
    """Returns the sources of all runs, by name."""
    return sorted(run.request.source for run in ledger.runs.newest(9))


@contextmanager
def beat_and_worker(settings: dict[str, str], queues: str) -> Iterator[Path]:
    """Runs beat and a Celery worker, and yields the worker's log."""
    with (
        TemporaryDirectory() as folder,
        celery("beat", "-s", f"{folder}/beat", "--pidfile=", settings=settings),
        celery("worker", "-Q", queues, "-c", "2", "-l", "INFO", settings=settings) as log,
    ):
        yield log


def python(script: str, settings: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Starts a script as a process of the pipeline."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env=settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def celery(*arguments: str, settings: dict[str, str]) -> Iterator[Path]:
    """Runs a process of Celery's until the block ends, and yields its log."""
    command = [sys.executable, "-m", "celery", "-A", "pipeline", *arguments]
    with (
        NamedTemporaryFile() as log,
        subprocess.Popen(command, cwd=ROOT, env=settings, stdout=log, stderr=log) as process,
    ):
        try:
            yield Path(log.name)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process of Celery's. Whether it ends well is not what these tests are about."""
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()


def waiting(broker: Redis, queue: str) -> list[str]:
    """Returns the names of the tasks that wait in a queue."""
    return [json.loads(text)["headers"]["task"] for text in broker.lrange(queue, 0, -1)]
