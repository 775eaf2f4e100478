"""The script that the sandbox's instance runs, with a program in place of the Celery worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from curation.adapters.compute.ssm import SsmShell
from tests.support.cloud import INSTANCE_ID, REGION, cloud_server, is_alive
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cloud import Cloud

RUN = Path(__file__).parents[3] / "sandbox" / "instance" / "run.sh"


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A running instance whose python writes down its process id and arguments, and stays."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$$ $*" >>{tmp_path}/starts\nexec sleep 60\n')
    python.chmod(0o755)
    monkeypatch.setenv("SANDBOX_PYTHON", str(python))
    with cloud_server(tmp_path / "cloud") as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        cloud.boot()
        yield cloud


def test_run__starts_the_engine_s_worker(instance: Cloud, tmp_path: Path) -> None:
    """The worker consumes the engine's queue under the instance's name."""
    launch(instance)

    (start,) = wait_until(lambda: starts(tmp_path))

    assert "-m celery -A pipeline worker -Q engine" in start
    assert f"--hostname engine@{INSTANCE_ID}" in start


def test_run__twice_starts_one_worker(instance: Cloud, tmp_path: Path) -> None:
    """A second launch finds the first one at work and ends well."""
    launch(instance)
    wait_until(lambda: starts(tmp_path))

    launch(instance)

    wait_until(lambda: "runs already" in log(tmp_path))
    assert len(starts(tmp_path)) == 1


def test_run__starts_again_what_died(instance: Cloud, tmp_path: Path) -> None:
    """A worker that is killed is started again."""
    launch(instance)
    (start,) = wait_until(lambda: starts(tmp_path))

    os.kill(int(start.split()[0]), signal.SIGKILL)

    wait_until(lambda: len(starts(tmp_path)) == 2)
    assert "exit code 137" in log(tmp_path)


def test_run__killed_leaves_the_lock_to_its_worker(instance: Cloud, tmp_path: Path) -> None:
    """If the script alone is killed, its worker goes on and still is the only one."""
    launch(instance)
    (start,) = wait_until(lambda: starts(tmp_path))
    worker = psutil.Process(int(start.split()[0]))
    script = worker.parent()
    assert script
    script.kill()

    launch(instance)

    wait_until(lambda: "runs already" in log(tmp_path))
    assert worker.is_running()


def test_run__ends_with_the_instance(instance: Cloud, tmp_path: Path) -> None:
    """A stop ends worker and script, and nothing is started again."""
    launch(instance)
    (start,) = wait_until(lambda: starts(tmp_path))
    worker = psutil.Process(int(start.split()[0]))

    instance.hand("stop")
    instance.wait_for("stopped")

    assert not is_alive(worker)
    assert len(starts(tmp_path)) == 1


def launch(instance: Cloud) -> None:
    """Launches the script as the pipeline does."""
    shell = SsmShell(region=REGION, document="AWS-RunShellScript", script_path=str(RUN))
    shell.launch(instance.instance_id, boot=1.0)


def starts(folder: Path) -> list[str]:
    """Returns one line for each start of the worker."""
    return text(folder / "starts").splitlines()


def log(folder: Path) -> str:
    """Returns what the script has said."""
    return text(folder / "cloud" / "tmp" / "selection-worker.log")


def text(path: Path) -> str:
    """Returns the content of a file that may not be there yet."""
    return path.read_text() if path.exists() else ""
