"""The scripts that start the workers on an instance, with programs in place of docker and AWS."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
SECRET = "canary-b51ff4"
WORKERS = {"run.sh": "lightly-worker", "engine.sh": "engine-worker"}
SETTINGS = """
LIGHTLY_WORKER_IMAGE=lightly/worker:2.11.2
LIGHTLY_TOKEN_SECRET=curation/secret
CURATION_IMAGE=video-curation:1
REDIS_URL_SECRET=curation/secret
S3_INPUT_BUCKET=s3://input/videos/
S3_LIGHTLY_BUCKET=s3://lightly/
"""


@dataclass(frozen=True)
class Instance:
    """A machine whose docker, AWS CLI and GPU are stand-ins."""

    folder: Path

    def start(self, script: str) -> subprocess.Popen[str]:
        """Starts a script as the launch command does."""
        return subprocess.Popen(
            ["bash", ROOT / "deploy" / "instance" / script],
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "CURATION_SETTINGS": str(self.folder / "instance.env"),
                "XDG_RUNTIME_DIR": str(self.folder / "run"),
                "STAND_IN": str(self.folder / "docker"),
                # What only the stand-ins know lies apart from what the scripts may leave.
                "STAND_IN_SECRET": str(self.folder / "secret"),
                "STAND_IN_WORKERS": str(self.folder / "workers"),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str) -> tuple[int, str]:
        """Runs a script to its end and returns its exit code and what it has said."""
        process = self.start(script)
        printed, _ = process.communicate(timeout=60)
        return process.returncode, printed

    def program(self, name: str, text: str) -> None:
        """Puts a program in the place of the stand-in of that name."""
        path = self.folder / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def calls(self, *beginning: str) -> list[str]:
        """Returns the commands that were given to the stand-ins and begin so."""
        calls = (self.folder / "docker" / "calls").read_text().splitlines()
        return [call for call in calls if call.startswith(" ".join(beginning))]

    def workers(self, n: int = 1) -> list[str]:
        """Returns one line for each start of a worker, when there are `n` of them."""
        started = self.folder / "workers"

        def lines() -> list[str] | None:
            found = started.read_text().splitlines() if started.exists() else []
            return found if len(found) >= n else None

        return wait_until(lines)

    def pids(self) -> list[int]:
        """Returns the process id of each container."""
        files = (self.folder / "docker").glob("containers/*/pid")
        return [int(file.read_text()) for file in files]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    """An instance without a GPU, with settings for both scripts."""
    shutil.copytree(STAND_INS, tmp_path / "bin", symlinks=True)
    for name in ("docker", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / "docker" / "images").touch()
    (tmp_path / "instance.env").write_text(SETTINGS)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    machine = Instance(tmp_path)
    machine.program("nvidia-smi", "exit 9")
    yield machine
    for pid in machine.pids():
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def test_scripts__pass_shellcheck() -> None:
    """Every shell script of the repository is free of findings."""
    folders = ("deploy/instance/*.sh", "sandbox/instance/*.sh", "tests/deploy/stand_ins/*")
    scripts = [ROOT / ".ci" / "run", *(path for folder in folders for path in ROOT.glob(folder))]

    checked = subprocess.run(
        [SHELLCHECK, "--external-sources", "--source-path=SCRIPTDIR", *scripts],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert checked.stdout == ""
    assert checked.returncode == 0
    assert len(scripts) > 8


def test_run__starts_the_lightly_worker(instance: Instance) -> None:
    """The image's own command runs under a fixed name, with the token in its environment."""
    code, printed = instance.run("run.sh")

    assert (code, printed) == (0, "lightly-worker has been started.\n")
    assert instance.workers() == [f"worker serve token={SECRET} url="]
    (run,) = instance.calls("docker run")
    assert "--detach --rm --name lightly-worker" in run
    assert "lightly/worker:2.11.2" in run
    assert "--gpus" not in run
    assert instance.calls("docker pull") == ["docker pull --quiet lightly/worker:2.11.2"]


def test_run__passes_on_what_the_machine_has(instance: Instance) -> None:
    """The GPU is used where there is one, and so is the Lightly Worker's id."""
    instance.program("nvidia-smi", "echo 'GPU 0: T4'")
    with (instance.folder / "instance.env").open("a") as settings:
        settings.write("LIGHTLY_WORKER_ID=gpu-box\n")

    instance.run("run.sh")

    (run,) = instance.calls("docker run")
    assert "--gpus all" in run
    assert "--env LIGHTLY_WORKER_ID " in run
    assert "LIGHTLY_WORKER_ID=gpu-box" in environments(instance)


def test_engine__starts_its_celery_worker(instance: Instance) -> None:
    """The engine's queue is served, with the broker's URL in the environment and few rights."""
    code, _ = instance.run("engine.sh")

    assert code == 0
    assert instance.workers() == [
        f"celery -A pipeline worker -Q engine -n engine@%h -l INFO token= url={SECRET}"
    ]
    (run,) = instance.calls("docker run")
    assert "--read-only" in run
    assert "--cap-drop ALL" in run
    assert "--env S3_INPUT_BUCKET --env S3_LIGHTLY_BUCKET " in run
    assert "S3_REGION" not in run
    assert "S3_INPUT_BUCKET=s3://input/videos/" in environments(instance)


@pytest.mark.parametrize("script", WORKERS)
def test_secret__is_nowhere_to_be_seen(script: str, instance: Instance) -> None:
    """No argument, no variable of docker's and no file that stays has the secret."""
    instance.run(script)
    instance.workers()

    left = [
        path
        for folder in ("docker", "run")
        for path in (instance.folder / folder).rglob("*")
        if path.is_file() and SECRET in path.read_text()
    ]
    assert left == []
    name = WORKERS[script]
    assert [path.name for path in (instance.folder / "run").iterdir()] == [f"{name}.lock"]


@pytest.mark.parametrize("script", WORKERS)
def test_launch__twice_at_once_starts_one(script: str, instance: Instance) -> None:
    """Two launches at the same time give one container, and both go well."""
    launches = [instance.start(script) for _ in range(2)]

    printed = sorted(launch.communicate(timeout=60)[0] for launch in launches)

    name = WORKERS[script]
    assert printed == [f"{name} has been started.\n", f"{name} runs already.\n"]
    assert [launch.returncode for launch in launches] == [0, 0]
    assert len(instance.calls("docker run")) == len(instance.workers()) == 1


def test_launch__replaces_what_has_ended(instance: Instance) -> None:
    """A container that was cut off keeps nobody from starting the next one."""
    instance.run("run.sh")
    instance.workers()
    (pid,) = instance.pids()
    os.killpg(pid, signal.SIGKILL)

    code, _ = instance.run("run.sh")

    assert code == 0
    assert len(instance.workers(2)) == 2
    assert instance.pids() != [pid]


def test_launch__leaves_the_worker_at_work(instance: Instance) -> None:
    """The script ends, with its output closed, and the worker goes on."""
    instance.run("run.sh")

    instance.workers()
    (pid,) = instance.pids()
    assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_launch__removes_a_container_that_takes_no_secret(instance: Instance) -> None:
    """A worker that does not come up leaves neither container nor pipe, and a sentence."""
    instance.program("timeout", f'shift; exec {shutil.which("timeout")} 0.3 "$@"')
    docker = (STAND_INS / "docker").read_text()
    (instance.folder / "bin" / "docker").write_text(docker.replace("setsid sh", "setsid sleep 60"))

    code, printed = instance.run("run.sh")

    assert code == 1
    assert printed.startswith("lightly-worker did not take its secret within 30 s.")
    assert instance.pids() == []
    assert [path.name for path in (instance.folder / "run").iterdir()] == ["lightly-worker.lock"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SETTINGS.replace("curation/secret", "other"), "AccessDeniedException"),
        (SETTINGS.replace("LIGHTLY_WORKER_IMAGE", "X"), "LIGHTLY_WORKER_IMAGE: Set it in "),
        (SETTINGS.replace("LIGHTLY_TOKEN_SECRET", "X"), "LIGHTLY_TOKEN_SECRET: Set it in "),
        (None, "There are no settings in "),
    ],
)
def test_launch__says_what_is_missing(
    settings: str | None, message: str, instance: Instance
) -> None:
    """Without its settings or its secret nothing is started, and one line says why."""
    (instance.folder / "instance.env").unlink()
    if settings:
        (instance.folder / "instance.env").write_text(settings)

    code, printed = instance.run("run.sh")

    assert code != 0
    assert message in printed
    assert instance.pids() == []


def environments(instance: Instance) -> str:
    """Returns all variables with which docker was called."""
    return (instance.folder / "docker" / "environments").read_text()
