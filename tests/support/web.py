"""The pages and the API as a process, with runs for them to show, and a browser to look with."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING

import requests
from PIL import Image

from curation.ledger.ledger import Ledger
from curation.ledger.steps import Turn
from curation.ledger.store import Store
from curation.models import Request, RunError, Video
from curation.states import Backend, InstanceState, Outcome, RunState, StepName, StepState
from sandbox.processes import free_port
from tests.support.clock import Clock
from tests.support.servers import bare_s3_client
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from redis import Redis

LOGIN = ("me", "canary-login")
TOKEN = "canary-token"
INSTANCE_ID = "i-0123456789abcdef0"
BUCKET = "web"
# Redis has 2.5 s to answer, which is not always enough for a machine under load.
_AGAIN = 10
N_FRAMES = 12
ERROR = "The link https://example.com/<b>clip</b>.mp4 is dead (404). Check it, and resume the run."

# What a report may hold that must do nothing, and what it may show.
OUR_SCRIPT = resources.files("curation.report").joinpath("report.js").read_text("utf-8")
REPORT = f"""<!doctype html><title>Report</title><style>h1 {{ color: #0f6b64 }}</style>
<h1>Report</h1><img alt="a frame" src="frames/bikes-000-mp4.jpg">
<img alt="no frame" src="/static/icon.svg"><img alt="elsewhere" src="http://127.0.0.1:9/a.png">
<script>document.title = "owned"</script><script>{OUR_SCRIPT}</script>""".encode()


@dataclass(frozen=True)
class Site:
    """What `curate serve` serves, and what is in it.

    Attributes:
        url: Where it is, without a slash at the end.
        runs: Id of a run by what became of it.
    """

    url: str
    runs: Mapping[str, str]

    def get(self, path: str, **options: object) -> requests.Response:
        """Asks for a page with the password, or as the options say."""
        return self.ask("GET", path, **{"auth": LOGIN, **options})

    def api(self, method: str, path: str, **options: object) -> requests.Response:
        """Asks the API with the token."""
        headers = {"Authorization": f"Bearer {TOKEN}"} | dict(options.pop("headers", None) or {})  # type: ignore[call-overload]  # requests takes what a test gives
        return self.ask(method, path, headers=headers, **options)

    def ask(self, method: str, path: str, **options: object) -> requests.Response:
        """Sends a request; looks again where a page says so and Redis ought to be there."""
        for _ in range(_AGAIN if method == "GET" and self.runs else 1):
            answer = requests.request(method, f"{self.url}{path}", timeout=60, **options)  # type: ignore[arg-type]  # requests takes what a test gives
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                break
        return answer


@contextmanager
def serve(
    variables: Mapping[str, str], stderr: int | IO[bytes] = subprocess.DEVNULL
) -> Iterator[str]:
    """Runs `curate serve` and yields its address."""
    port = free_port()
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("curate")), "serve", "--port", str(port)],
        env={**os.environ, "PYTHON_DOTENV_DISABLED": "1", **variables},
        stderr=stderr,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is not None or _answers(url), limit_s=120)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


class Seeds:
    """Writes runs into a ledger and a bucket, each as it would be some time after it was asked for.

    Args:
        redis: The broker.
        endpoint: The S3 server.
        bucket: Its bucket for results.
    """

    def __init__(self, redis: Redis, *, endpoint: str, bucket: str) -> None:
        self._clock = Clock(time.time() - 3600)
        store = Store(redis, clock=self._clock)
        self._ledger = Ledger.over(store, retention_days=1, lease_ttl_s=900)
        self._s3, self._bucket = bare_s3_client(endpoint), bucket

    def all(self) -> dict[str, str]:
        """Writes a run of each kind and returns their ids."""
        runs = {
            "completed": self.completed(),
            "failed": self.failed(),
            "canceled": self.canceled(),
            "hosted": self.hosted(),
        }
        self._clock.now = time.time() - 40
        return runs | {"selecting": self.selecting()}

    def completed(self, report: bytes = REPORT) -> str:
        """Writes a run that has selected frames and a report."""
        run_id = self._prepared("/videos/bikes.mp4")
        self._step(run_id, StepName.RUN_SELECTION, 21.0, looks=7)
        results = f"results/{run_id}/"
        names = [f"bikes-{number:03}-mp4.jpg" for number in range(0, 10 * N_FRAMES, 10)]
        record = {"schema": 1, "selected": [_selected(i, name) for i, name in enumerate(names)]}
        for i, name in enumerate(names):
            self._put(f"{results}frames/{name}", picture(i), "image/jpeg")
        self._put(f"{results}selected.txt", "\n".join(names).encode(), "text/plain")
        self._put(f"{results}selection.json", json.dumps(record).encode(), "application/json")
        self._put(f"{results}secret.txt", b"not for everybody", "text/plain")
        self._put(f"{results}report.html", report, "text/html")
        self._ledger.runs.record_selection(
            run_id,
            state="COMPLETED",
            n_frames=250,
            n_selected=N_FRAMES,
            filenames_uri=f"s3://{self._bucket}/{results}selected.txt",
            report_uri=f"s3://{self._bucket}/{results}report.html",
        )
        self._ledger.runs.decide(run_id, Outcome.COMPLETED)
        self._release(run_id)
        return run_id

    def failed(self) -> str:
        """Writes a run whose link is dead."""
        run_id = self._new("https://example.com/videos/clip.mp4?token=canary-link")
        self._step(run_id, StepName.START_INSTANCE, 6.0)
        self._step(run_id, StepName.INGEST_VIDEO, 2.0, state=StepState.FAILED)
        error = RunError(code="source:http:404", message=ERROR, step=StepName.INGEST_VIDEO)
        self._ledger.runs.decide(run_id, Outcome.FAILED, error)
        self._end(run_id)
        return run_id

    def canceled(self) -> str:
        """Writes a run that somebody has canceled before anything was done."""
        run_id = self._new(
            "s3://videos/2026/a/rather/long/prefix/with-a-rather-long-name-of-a-clip.mp4"
        )
        self._clock.forward(3.0)
        self._ledger.runs.decide(run_id, Outcome.CANCELED)
        self._end(run_id)
        return run_id

    def hosted(self) -> str:
        """Writes a run whose pictures are with the hosted service."""
        run_id = self._new("https://example.com/hosted.mp4")
        names = f"results/{run_id}/selected.txt"
        self._put(names, b"hosted-001-mp4.png\nhosted-042-mp4.png\n", "text/plain")
        uri = f"s3://{self._bucket}/{names}"
        self._ledger.runs.record_selection(run_id, n_frames=90, n_selected=2, filenames_uri=uri)
        self._ledger.runs.decide(run_id, Outcome.COMPLETED)
        self._end(run_id)
        return run_id

    def selecting(self) -> str:
        """Writes a run that holds the instance and whose frames are being looked at."""
        run_id = self._prepared("pexels:search?query=night+traffic")
        self._begin(run_id, StepName.RUN_SELECTION)
        engine = self._ledger.engine
        engine.schedule(run_id)
        generation = engine.take(run_id, silent_s=60)
        engine.beat(run_id, generation, state="EMBEDDING", n_done=1, n_frames=400)
        self._clock.forward(8.0)
        engine.beat(run_id, generation, state="EMBEDDING", n_done=180, n_frames=400)
        return run_id

    def _prepared(self, source: str) -> str:
        run_id = self._new(source)
        self._step(run_id, StepName.START_INSTANCE, 9.5, looks=3)
        self._ledger.leases.acquire(run_id, INSTANCE_ID)
        self._ledger.leases.observe(INSTANCE_ID, InstanceState.RUNNING)
        self._ledger.leases.claim_renewal(INSTANCE_ID, "shell", boot=1.0)
        self._step(run_id, StepName.INGEST_VIDEO, 1.4)
        video = Video(
            uri=f"s3://{self._bucket}/videos/{run_id}/bikes.mp4",
            size_bytes=4_183_027,
            sha256="5f0c2d81ab" * 6 + "00ff",
            source_url=source,
        )
        self._ledger.runs.record_video(run_id, video)
        self._ledger.runs.update(run_id, instance_id=INSTANCE_ID)
        return run_id

    def _new(self, source: str) -> str:
        request = Request(source=source, proportion_samples=0.05, selection_backend=Backend.ENGINE)
        run_id, _ = self._ledger.runs.create(request, deadline_s=7200.0)
        self._clock.forward(0.4)
        return run_id

    def _step(
        self,
        run_id: str,
        step: StepName,
        seconds: float,
        *,
        state: StepState = StepState.SUCCEEDED,
        looks: int = 0,
    ) -> None:
        turn = self._begin(run_id, step)
        self._clock.forward(seconds)
        self._ledger.steps.leave(turn, state)
        if looks:
            self._ledger.runs.update(run_id, **{f"{step}.looks": looks})

    def _begin(self, run_id: str, step: StepName) -> Turn:
        turn = Turn(run_id, step, "tests", 0)
        selects = step is StepName.RUN_SELECTION
        implies = RunState.SELECTING if selects else RunState.PREPARING
        self._ledger.steps.begin(turn, implies=implies, after_outcome=False)
        return turn

    def _release(self, run_id: str) -> None:
        self._ledger.leases.observe(INSTANCE_ID, InstanceState.RUNNING)
        self._ledger.leases.release(run_id, INSTANCE_ID)
        self._end(run_id)
        self._ledger.leases.observe(INSTANCE_ID, InstanceState.STOPPED)
        self._ledger.leases.confirm_stopped(run_id, INSTANCE_ID)

    def _end(self, run_id: str) -> None:
        turn = Turn(run_id, StepName.RELEASE_INSTANCE, "tests", 0)
        self._ledger.steps.begin(turn, implies=RunState.FINISHING, after_outcome=True)
        self._clock.forward(4.2)
        self._ledger.runs.end(self._ledger.runs.get(run_id), released=StepState.SUCCEEDED)

    def _put(self, key: str, data: bytes, kind: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=kind)


def picture(number: int) -> bytes:
    """Returns a JPEG of 320 by 180 pixels, each number another one."""
    red, green = Image.linear_gradient("L"), Image.radial_gradient("L").rotate(30 * number)
    blue = Image.new("L", red.size, 40 + 15 * number % 200)
    buffer = io.BytesIO()
    Image.merge("RGB", (red, green, blue)).resize((320, 180)).save(buffer, "JPEG")
    return buffer.getvalue()


def _selected(order: int, name: str) -> dict[str, object]:
    number = int(name.split("-")[1])
    return {
        "frame_number": number,
        "timestamp_s": number / 25,
        "order": order,
        "file": f"frames/{name}",
        "distance": 0.5,
        "width": 320,
        "height": 180,
    }


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.ConnectionError:
        return False
