"""Engine workers as processes of their own, and whoever looks after a run meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from celery import Celery
from redis import Redis

from curation.adapters.selection.queue import EngineQueue
from curation.ledger import keys
from curation.models import Video
from curation.wiring import ENGINE_SILENT_S
from tests.support.requests import new_run
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.ledger.engine import EngineTask
    from curation.ledger.ledger import Ledger
    from curation.wiring import Wiring

ROOT = Path(__file__).parents[2]

# Twice the time between two signs of life.
_SILENCE_S = 10.0


@dataclass(frozen=True)
class EngineRoom:
    """A ledger, buckets and a broker for engine workers; boto3's variables lead to the buckets.

    Attributes:
        here: The wiring of the control side.
        broker: URL of the broker.
        bucket: Name of the bucket for all.
        folder: Where logs go.
    """

    here: Wiring
    broker: str
    bucket: str
    folder: Path

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self.here.ledger

    @property
    def queue(self) -> EngineQueue:
        """The selection backend, as `run_selection` has it."""
        app = Celery(broker=self.broker, set_as_current=False)

        def send(run_id: str) -> None:
            app.send_task("engine.select_frames", (run_id,), queue="engine")

        return EngineQueue(
            self.ledger.engine, self.ledger.store, send=send, silent_s=ENGINE_SILENT_S
        )

    def begin(self, video: bytes, name: str = "clip.mp4") -> str:
        """Schedules a run whose video is in the bucket, and returns its id."""
        run_id = new_run(self.ledger)
        uri = f"s3://{self.bucket}/in/{name}"
        self.here.storage.put(uri, video, content_type="video/mp4")
        found = Video(uri=uri, size_bytes=len(video), sha256="0" * 64, source_url=name)
        self.ledger.runs.record_video(run_id, found)
        self.queue.schedule(self.ledger.runs.get(run_id))
        return run_id

    @contextmanager
    def workers(self, concurrency: int) -> Iterator[EngineWorkers]:
        """Runs one Celery worker with so many processes."""
        log = self.folder / f"engine-{concurrency}.log"
        command = [sys.executable, "-m", "celery", "-A", "pipeline", "worker", "-Q", "engine"]
        command += ["-n", f"engine{concurrency}@%h", "-c", str(concurrency), "-l", "INFO"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            wait_until(lambda: " ready." in log.read_text() or None)
            yield EngineWorkers(process, log)
        finally:
            process.terminate()
            process.wait(timeout=30)

    def task(self, run_id: str) -> EngineTask:
        """Returns what the ledger knows of the run's engine task."""
        task = self.ledger.engine.get(run_id)
        assert task is not None
        return task

    def ended(self, run_id: str) -> EngineTask:
        """Waits for the end of the engine's task, and looks at it now and then meanwhile."""

        def look() -> bool | None:
            time.sleep(0.2)
            self._age(run_id)
            return self.queue.look(self.ledger.runs.get(run_id)).is_end or None

        wait_until(look, limit_s=120)
        return self.task(run_id)

    def n_waiting(self) -> int:
        """Returns how many messages wait in the queue."""
        with Redis.from_url(self.broker) as client:
            return int(cast("int", client.llen("engine")))

    def results(self, run_id: str) -> dict[str, bytes]:
        """Returns all objects of the run."""
        prefix = f"s3://{self.bucket}/out/{run_id}/"
        found: dict[str, bytes] = {}
        for info in self.here.storage.under(prefix):
            with self.here.storage.read(info.uri) as chunks:
                found[info.uri.removeprefix(prefix)] = b"".join(chunks)
        return found

    def _age(self, run_id: str) -> None:
        """Lets a silence that is long enough to be one last as long as silence has to."""
        task, now = self.task(run_id), self.ledger.store.now()
        if not task.is_end and now - max(task.beat_at, task.sent_at) > _SILENCE_S:
            late = now - ENGINE_SILENT_S - 1
            with Redis.from_url(self.broker) as client:
                client.hset(keys.engine_key(run_id), mapping={"beat_at": late, "sent_at": late - 1})


@dataclass(frozen=True)
class EngineWorkers:
    """A Celery worker on the queue `engine`."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """Kills it and its pool, without a last word."""
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        for pid in [self.process.pid, *map(int, children.stdout.split())]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def embedded(self) -> list[int]:
        """Returns the segments that it has embedded, as its log has them."""
        return [
            int(number)
            for number in re.findall(r"Segment embedded .*segment=(\d+)", self.log.read_text())
        ]
