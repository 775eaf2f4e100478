"""Looks at a world all the time while a cell is played, and tells its history for the checker."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import psutil
from redis.exceptions import RedisError

from curation.errors import CurationError
from curation.ledger import keys
from sandbox.ask import ask
from tests.chaos.promises import Call, Figures, History, Hold, RunFacts, Span

if TYPE_CHECKING:
    from curation.models import Run
    from tests.chaos.live.world import LiveWorld

_LOOK_S = 0.25
_STOP = "StopInstances"
_SCHEDULE = "create_docker_run_scheduled_by_dataset_id"
_SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "FLOWER_BASIC_AUTH",
    "LIGHTLY_TOKEN",
    "PEXELS_API_KEY",
    "S3_EXTERNAL_ID",
)


class Witness:
    """Sees what nobody writes down: when runs changed their state, and when they held leases."""

    def __init__(self, live: LiveWorld, figures: Figures) -> None:
        """Takes the world and what is promised."""
        self._live = live
        self._began_at = time.time()
        self._n_lightly_calls = len(live.lightly.calls())
        self._states: dict[str, list[tuple[float, str]]] = {}
        self._holds: dict[str, Hold] = {}
        self._over: list[Hold] = []
        self._runs: dict[str, Run] = {}
        # Who was stopping the instance when; the calls themselves do not tell.
        self._stopping: list[tuple[float, str]] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self.history = History(figures, ended_at=0.0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def expect(self, run_id: str) -> None:
        """Begins to look at a run."""
        self._states[run_id] = []

    def tell(self) -> History:
        """Returns the history up to now."""
        live, history = self._live, self.history
        self._look()
        history.ended_at = time.time()
        history.calls = [*self._cloud_calls(), *self._lightly_calls()]
        spans = [Span(*span) for span in live.cloud.billing()["spans"]]
        history.billed = [span for span in spans if span.begin >= self._began_at]
        history.holds = [*self._over, *self._holds.values()]
        history.runs = [self._facts(run) for run in self._runs.values()]
        history.scheduled = self._scheduled()
        history.objects = self._objects()
        history.open_uploads = self._open_uploads()
        history.texts = self._texts()
        history.canaries = tuple(live.setting[name] for name in _SECRETS)
        return history

    def _look_on(self) -> None:
        while not self._is_over.wait(_LOOK_S):
            self._look()

    def _look(self) -> None:
        # A broker that is away, or a run that was wiped, is what some cells are about.
        for run_id in list(self._states):
            with contextlib.suppress(CurationError):
                self._see(self._live.ledger.runs.get(run_id))
        with contextlib.suppress(CurationError):
            self._see_holds()
            self._see_ends_of_outages()
            self._see_who_stops()
        self.history.workers = max(self.history.workers, self._workers())

    def _see(self, run: Run) -> None:
        states = self._states[run.run_id]
        if not states or states[-1][1] != run.state:
            states.append((time.time(), run.state))
        self._runs[run.run_id] = run

    def _see_holds(self) -> None:
        ttl_s, now = self._live.lease_ttl_s, time.time()
        holders = self._live.ledger.leases.holders(self._live.cloud.instance_id)
        for run_id, until in holders.items():
            if until < now:
                continue
            seen = self._holds.get(run_id)
            renewed_at = until - ttl_s
            if seen and renewed_at > seen.renewed_at + ttl_s:  # it was over, this is another one
                self._over.append(seen)
                seen = None
            seen = seen or Hold(run_id, now, now, now)
            self._holds[run_id] = replace(seen, renewed_at=renewed_at, end=now)

    def _see_ends_of_outages(self) -> None:
        last_round = self._live.ledger.last_round() or 0.0
        self.history.outages = [
            Span(out.begin, time.time()) if out.end is None and last_round > out.begin + 1 else out
            for out in self.history.outages
        ]

    def _see_who_stops(self) -> None:
        note = self._live.ledger.store.hash_of(keys.instance_key(self._live.cloud.instance_id))
        if "stop_by" in note:
            self._stopping.append((time.time(), note["stop_by"]))

    def _stopped_by(self, at: float) -> str:
        """Returns the run that was stopping the instance around a time, or an empty string."""
        seen = min(self._stopping, key=lambda seen: abs(seen[0] - at), default=(0.0, ""))
        return seen[1] if seen[1] in self._states else ""

    def _workers(self) -> int:
        """Returns how many Lightly Workers are on the instance now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            below = self._live.process("cloud").children(recursive=True)
            return sum("sandbox.lightly.worker" in " ".join(one.cmdline()) for one in below)
        return 0

    def _facts(self, run: Run) -> RunFacts:
        return RunFacts(
            run_id=run.run_id,
            states=tuple(self._states[run.run_id]),
            deadline_at=run.deadline_at,
            accepted_sha256=self._accepted(run),
            video_uri=run.video.uri if run.video else "",
            sha256=run.video.sha256 if run.video else "",
            error=(run.error.code, run.error.message) if run.error else (),
            idempotency_key=run.idempotency_key or "",
        )

    def _accepted(self, run: Run) -> str:
        """Returns the sum of what the source serves."""
        if run.video is None:
            return ""
        if run.request.source != self._live.clip:
            return run.video.sha256  # of a video that was found, the page is known, not the file
        return hashlib.sha256(ask("GET", self._live.clip)).hexdigest()

    def _cloud_calls(self) -> list[Call]:
        fields = ("time", "service", "operation", "code", "acted")
        return [
            Call(
                **{name: call[name] for name in fields},
                run_id=self._stopped_by(call["time"]) if call["operation"] == _STOP else "",
            )
            for call in self._live.cloud.calls()
            if call["time"] >= self._began_at
        ]

    def _lightly_calls(self) -> list[Call]:
        return [
            Call(call["time"], "lightly", call["operation"], call["code"], acted=call["acted"])
            for call in self._live.lightly.calls(skip=self._n_lightly_calls)
        ]

    def _scheduled(self) -> list[str]:
        """Returns the dataset of each selection run; each run has one of its own."""
        calls = self._live.lightly.calls(_SCHEDULE, skip=self._n_lightly_calls)
        return [call["parameters"]["datasetId"] for call in calls if call["acted"]]

    def _objects(self) -> dict[str, str]:
        folder = self._live.world.data / "buckets" / "input"
        return {
            f"s3://input/{path.relative_to(folder)}": hashlib.sha256(path.read_bytes()).hexdigest()
            for run_id in self._states
            for path in folder.glob(f"videos/{run_id}/*")
        }

    def _open_uploads(self) -> list[str]:
        s3 = self._live.s3
        # rclone's word for a bucket that has no upload.
        with contextlib.suppress(s3.exceptions.NoSuchUpload):
            found = s3.list_multipart_uploads(Bucket="input").get("Uploads", [])
            return [f"s3://input/{item['Key']}" for item in found]
        return []

    def _texts(self) -> dict[str, str]:
        logs = (self._live.world.data / "logs").iterdir()
        texts = {path.name: path.read_text(errors="replace") for path in logs}
        with contextlib.suppress(RedisError):
            stored = [self._live.redis.dump(key) or b"" for key in self._live.redis.scan_iter()]
            texts["redis"] = b"".join(stored).decode("latin-1")
        return texts
