"""A Celery worker that holds messages lives on when its broker dies and comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.processes import Process, Supervisor, free_port
from sandbox.valkey import valkey
from tests.support.compose import ROOT
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VISIBILITY_S = 5.0
WORKER = ("celery", "-A", "tests.support.holding", "worker", "-Q", "reaper", "-c", "2")


@dataclass(frozen=True)
class Holder:
    """A supervised broker and Celery worker, and what its tasks have noted."""

    folder: Path
    supervisor: Supervisor
    environment: dict[str, str]

    def send(self, task: str, name: str, seconds: float = 0.0) -> None:
        """Sends a task, as another process would."""
        program = f"import tests.support.holding as h; h.{task}.delay({name!r}, {seconds})"
        subprocess.run(
            [sys.executable, "-c", program], env=self.environment, check=True, timeout=60
        )

    def wait_for(self, name: str, event: str) -> None:
        """Returns when a task has noted an event."""
        wait_until(lambda: (name, event) in [(note["name"], note["event"]) for note in self.notes])

    @property
    def notes(self) -> list[dict[str, Any]]:
        """All notes, oldest first."""
        file = self.folder / "notes"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holder]:
    """A broker with an append-only file, and a prefork worker as the sandbox has it."""
    folder, port = tmp_path_factory.mktemp("holder"), free_port()
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "PYTHON_DOTENV_DISABLED": "1",
        "REDIS_URL": f"redis://:password@127.0.0.1:{port}/0",
        "VISIBILITY_TIMEOUT_S": str(VISIBILITY_S),
        "NOTES": str(folder / "notes"),
    }
    supervisor = Supervisor(folder)
    supervisor.start(environment)
    try:
        log = folder / "valkey.log"
        supervisor.add(valkey(folder / "valkey", port=port, password="password", log=log))
        command = [sys.executable, "-m", *WORKER]
        log = folder / "worker.log"
        supervisor.add(Process("worker", command, folder=str(folder), log=str(log)))
        yield Holder(folder, supervisor, environment)
    finally:
        supervisor.stop()


@pytest.mark.parametrize(("task", "seconds"), [("work", 2.0), ("look", 1.0)])
def test_worker__that_holds_a_message_survives_the_death_of_its_broker(
    holder: Holder, task: str, seconds: float
) -> None:
    """Whether it runs or waits for its countdown, the process stays and the task ends."""
    holder.send(task, task, seconds)
    holder.wait_for(task, "began")
    before = holder.supervisor.processes()

    os.kill(before["valkey"].pid or 0, signal.SIGKILL)

    wait_until(lambda: holder.supervisor.processes()["valkey"].restarts > before["valkey"].restarts)
    holder.wait_for(task, "ended")
    holder.send("work", f"after {task}")
    holder.wait_for(f"after {task}", "ended")
    assert holder.supervisor.processes()["worker"] == before["worker"]
