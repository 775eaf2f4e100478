"""The Lightly stand-in as a process of its own, and a Lightly Worker that does as it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sandbox.lightly.control import Api

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# With characters that are quoted in an address, so that both forms are looked for.
TOKEN = "canary+token/of lightly"
_END_TIMEOUT_S = 20.0
_SCHEDULE = "create_docker_run_scheduled_by_dataset_id"


class Lightly(Api):
    """A running stand-in, and a Lightly Worker in the hands of the test."""

    def __init__(self, url: str) -> None:
        super().__init__(url, TOKEN)

    @property
    def environment(self) -> dict[str, str]:
        """What the client needs to find it."""
        return {"LIGHTLY_SERVER_LOCATION": self.url, "LIGHTLY_TOKEN": TOKEN}

    @property
    def n_schedules(self) -> int:
        """How many runs were scheduled, whatever was answered."""
        return sum(call["acted"] for call in self.calls(_SCHEDULE))

    def take(self, *, labels: Sequence[str] = ()) -> str:
        """Picks the oldest open run up, and returns the id of the run that comes of it."""
        entry = {"name": "-".join(["worker", *labels]), "workerType": "FULL", "labels": [*labels]}
        worker_id = self.send("POST", "docker/worker", entry)["id"]
        scheduled = self.send("GET", f"docker/worker/{worker_id}/schedule", state="OPEN")[0]
        place = f"datasets/{scheduled['datasetId']}/docker/worker/{worker_id}/schedule"
        self.send("PUT", f"{place}/{scheduled['id']}", {"state": "LOCKED"})
        started = {"dockerVersion": "2.12.0", "scheduledId": scheduled["id"]}
        return str(self.send("POST", "docker/runs", started)["id"])

    def enter(self, run_id: str, state: str, message: str = "") -> None:
        """Moves a run into a state, and frees its dataset when that is an end."""
        self.send("PUT", f"docker/runs/{run_id}", {"state": state, "message": message})
        if state in ("COMPLETED", "FAILED", "CRASHED", "ABORTED"):
            run = self.send("GET", f"docker/runs/{run_id}")
            worker_id = self.send("GET", "docker/worker")[0]["id"]
            place = f"datasets/{run['datasetId']}/docker/worker/{worker_id}/schedule"
            self.send("PUT", f"{place}/{run['scheduledId']}", {"state": "DONE"})

    def complete(self, run_id: str, names: Sequence[str]) -> None:
        """Completes a run that has selected these frames."""
        self.hand("results", {"runId": run_id, "fileNames": list(names)})
        self.enter(run_id, "COMPLETED", "The run has ended.")

    def add_report(self, run_id: str, kind: str, content: bytes) -> None:
        """Uploads a report of the run."""
        artifact = {"type": kind, "fileName": "report"}
        made = self.send("POST", f"docker/runs/{run_id}/artifacts", artifact)
        self.upload(made["signedWriteUrl"], content)

    def bodies(self, operation: str) -> list[dict[str, Any]]:
        """Returns what was sent with each call of an operation."""
        return [call["parameters"]["body"] for call in self.calls(operation)]


@contextmanager
def lightly_server(data: Path) -> Iterator[Lightly]:
    """Runs the stand-in on a data folder; the same one again reopens it."""
    command = [sys.executable, "-m", "sandbox.lightly", "--data", str(data)]
    environment = os.environ | {"LIGHTLY_TOKEN": TOKEN}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            yield Lightly(process.stdout.readline().split()[-1])
        finally:
            process.terminate()
            process.wait(timeout=_END_TIMEOUT_S)
