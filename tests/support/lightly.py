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
ENDS = ("COMPLETED", "FAILED", "CRASHED", "ABORTED")
# The client's names of the calls that tests have to do with.
SCHEDULE = "create_docker_run_scheduled_by_dataset_id"
LIST = "get_docker_runs_scheduled_by_dataset_id"
CANCEL = "cancel_scheduled_docker_run_state_by_id"
LOOK = "get_docker_run_by_scheduled_id"

_END_TIMEOUT_S = 90.0
_AS_PLANNED = {"takes": True, "ends": "COMPLETED", "message": "", "state_s": 0, "wide_tags": False}


class Lightly(Api):
    """A running stand-in, and a Lightly Worker in the hands of the test."""

    def __init__(self, url: str, data: Path) -> None:
        super().__init__(url, TOKEN)
        self.data = data
        self._n_old_calls = 0

    @property
    def environment(self) -> dict[str, str]:
        """What the client needs to find it."""
        return {"LIGHTLY_SERVER_LOCATION": self.url, "LIGHTLY_TOKEN": TOKEN}

    def begin(self) -> None:
        """Forgets faults, plans and calls of the test before; its records do no harm."""
        self.faults()
        self.hand("plan", _AS_PLANNED)
        self._n_old_calls += len(self.calls())

    def calls(self, operation: str | None = None, *, skip: int = 0) -> list[dict[str, Any]]:
        """Returns the calls of this test, oldest first, of one operation or of all."""
        return super().calls(operation, skip=self._n_old_calls + skip)

    def n_acted(self, operation: str) -> int:
        """Returns how many calls of an operation had an effect, whatever was answered."""
        return sum(call["acted"] for call in self.calls(operation))

    def sent(self, operation: str) -> list[dict[str, Any]]:
        """Returns what was sent with each call of an operation."""
        return [call["parameters"]["body"] for call in self.calls(operation)]

    def scheduled(self, dataset_id: str) -> list[dict[str, Any]]:
        """Returns all scheduled runs of a dataset."""
        states = ("OPEN", "LOCKED", "DONE", "CANCELED")
        path = f"datasets/{dataset_id}/docker/worker/schedule"
        return [run for state in states for run in self.send("GET", path, state=state)]

    def take(self, dataset_id: str, scheduled_run_id: str) -> str:
        """Picks a scheduled run up, and returns the id of the run that comes of it."""
        entry = {"name": "worker", "workerType": "FULL"}
        worker_id = self.send("POST", "docker/worker", entry)["id"]
        place = f"datasets/{dataset_id}/docker/worker/{worker_id}/schedule"
        self.send("PUT", f"{place}/{scheduled_run_id}", {"state": "LOCKED"})
        started = {"dockerVersion": "2.12.0", "scheduledId": scheduled_run_id}
        return str(self.send("POST", "docker/runs", started)["id"])

    def enter(self, lightly_run_id: str, state: str, message: str = "") -> None:
        """Moves a run into a state."""
        says = {"state": state, "message": message}
        self.send("PUT", f"docker/runs/{lightly_run_id}", says)

    def complete(self, lightly_run_id: str, names: Sequence[str]) -> None:
        """Completes a run that has selected these frames."""
        self.hand("results", {"runId": lightly_run_id, "fileNames": list(names)})
        self.enter(lightly_run_id, "COMPLETED", "The run has ended.")

    def add_report(self, lightly_run_id: str, kind: str, content: bytes) -> None:
        """Uploads a report of the run."""
        artifact = {"type": kind, "fileName": "report"}
        made = self.send("POST", f"docker/runs/{lightly_run_id}/artifacts", artifact)
        self.upload(made["signedWriteUrl"], content)


@contextmanager
def lightly_server(data: Path) -> Iterator[Lightly]:
    """Runs the stand-in on a data folder; the same one again reopens it."""
    command = [sys.executable, "-m", "sandbox.lightly", "--data", str(data)]
    environment = os.environ | {"LIGHTLY_TOKEN": TOKEN}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            yield Lightly(process.stdout.readline().split()[-1], data)
        finally:
            process.terminate()
            process.wait(timeout=_END_TIMEOUT_S)
