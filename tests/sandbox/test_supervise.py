from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from sandbox.processes import (
    Process,
    SandboxError,
    Status,
    Supervisor,
    free_port,
    program,
    tail,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor of nothing yet."""
    supervisor = Supervisor(tmp_path)
    supervisor.start(dict(os.environ))
    yield supervisor
    supervisor.stop()


def shell(name: str, folder: Path, script: str) -> Process:
    """Describes a process that runs a shell script."""
    log = str(folder / f"{name}.log")
    return Process(name=name, command=["sh", "-c", script], folder=str(folder), log=log)


def status_of(supervisor: Supervisor, name: str, *, restarts: int = 0) -> Status:
    """Returns a process's status once it runs and was restarted so often."""

    def running() -> Status | None:
        status = supervisor.processes().get(name)
        return status if status and status.pid and status.restarts >= restarts else None

    return wait_until(running)


def pid_in(file: Path) -> int:
    """Returns the process id that a script has written into a file."""
    return int(wait_until(lambda: file.read_text().strip() if file.exists() else ""))


def is_gone(pid: int | None) -> bool:
    """Tells whether a process has ended."""
    assert pid is not None
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_look__restarts_who_was_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    """A process that is killed is started again, and its end is reported."""
    supervisor.add(shell("worker", tmp_path, "exec sleep 60"))
    first = status_of(supervisor, "worker")
    assert first.pid

    os.kill(first.pid, signal.SIGKILL)

    second = status_of(supervisor, "worker", restarts=1)
    assert second.pid != first.pid
    assert (second.restarts, second.exit_code) == (1, -signal.SIGKILL)


def test_look__ends_the_group_of_who_was_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    """What a dead process has left in its group does not work on beside its successor."""
    script = "[ -e pool ] || { sleep 60 & echo $! > pool; wait; }; exec sleep 60"
    supervisor.add(shell("worker", tmp_path, script))
    member = pid_in(tmp_path / "pool")
    leader = status_of(supervisor, "worker").pid
    assert leader

    os.kill(leader, signal.SIGKILL)

    status_of(supervisor, "worker", restarts=1)
    assert is_gone(member)


def test_look__waits_longer_each_time(supervisor: Supervisor, tmp_path: Path) -> None:
    """A process that cannot run is not started over and over at full speed."""
    supervisor.add(shell("broken", tmp_path, "date +%s.%N; exit 3"))

    log = tmp_path / "broken.log"
    wait_until(lambda: len(tail(log).splitlines()) >= 4)

    times = [float(line) for line in tail(log).splitlines()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(gap >= delay for gap, delay in zip(gaps, (0.1, 0.2, 0.4), strict=False))
    assert supervisor.processes()["broken"].exit_code == 3


def test_add__names_a_program_that_is_not_there(supervisor: Supervisor, tmp_path: Path) -> None:
    """A command that does not exist is a process that ended, with the reason in its log."""
    log = tmp_path / "none.log"

    supervisor.add(Process("none", [str(tmp_path / "none")], str(tmp_path), str(log)))

    wait_until(lambda: supervisor.processes().get("none"))
    assert supervisor.processes()["none"].exit_code == 127
    assert "could not be started: [Errno 2]" in tail(log)


def test_stop__ends_the_highest_layer_first(supervisor: Supervisor, tmp_path: Path) -> None:
    """Whoever stands on a server ends before it, however long that takes."""
    for layer, (name, pause_s) in enumerate([("server", 0), ("client", 0.3), ("user", 0.6)]):
        trap = f"trap 'sleep {pause_s}; echo {name} >> ends; exit' TERM"
        process = shell(name, tmp_path, f"{trap}; touch {name}; while :; do sleep 0.05; done")
        supervisor.add(replace(process, layer=layer))
        wait_until((tmp_path / name).exists)

    supervisor.stop()

    assert (tmp_path / "ends").read_text().split() == ["user", "client", "server"]
    assert supervisor.processes() == {}


def test_stop__kills_who_ignores_it(supervisor: Supervisor, tmp_path: Path) -> None:
    """A process that ignores SIGTERM is killed in the end."""
    script = "trap '' TERM; touch ready; while :; do sleep 1; done"
    supervisor.add(replace(shell("deaf", tmp_path, script), grace_s=0.3))
    wait_until((tmp_path / "ready").exists)
    pid = status_of(supervisor, "deaf").pid

    supervisor.stop()

    assert is_gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans a new parent")
def test_stop__ends_who_ran_away(supervisor: Supervisor, tmp_path: Path) -> None:
    """A process in a session of its own whose parent has ended is ended too."""
    # It tells its number itself, so that it has its session when the parent is killed.
    orphan_script = "setsid sh -c 'echo $$ > pid; exec sleep 60' &"
    supervisor.add(shell("parent", tmp_path, f"{orphan_script} exec sleep 60"))
    orphan = pid_in(tmp_path / "pid")
    parent = status_of(supervisor, "parent").pid
    assert parent
    os.kill(parent, signal.SIGKILL)
    status_of(supervisor, "parent", restarts=1)
    assert not is_gone(orphan)

    supervisor.stop()

    assert is_gone(orphan)


PARENT = """
import os, sys, time
from pathlib import Path
from sandbox.processes import Process, Supervisor
folder = Path(sys.argv[1])
(folder / "removed").mkdir()
supervisor = Supervisor(folder)
supervisor.start(os.environ, remove=folder / "removed")
supervisor.add(Process("sleeper", ["sleep", "60"], str(folder), str(folder / "log")))
if sys.argv[2] == "detached":
    supervisor.leave()
else:
    time.sleep(60)
"""


def test_start__ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """Even SIGKILL of the parent leaves no process and no temporary folder behind."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), "attached"])
    supervisor = Supervisor(tmp_path)
    pid = status_of(supervisor, "sleeper").pid

    parent.kill()
    parent.wait()

    wait_until(lambda: not supervisor.running())
    assert is_gone(pid)
    assert not (tmp_path / "removed").exists()


def test_leave__outlives_its_parent(tmp_path: Path) -> None:
    """A supervisor that was left goes on by itself, and another process can end it."""
    subprocess.run([sys.executable, "-c", PARENT, str(tmp_path), "detached"], check=True)
    supervisor = Supervisor(tmp_path)
    pid = status_of(supervisor, "sleeper").pid
    assert supervisor.running()
    assert not is_gone(pid)

    supervisor.stop()

    assert not supervisor.running()
    assert is_gone(pid)


def test_start__refuses_a_folder_in_use(supervisor: Supervisor, tmp_path: Path) -> None:
    """Two supervisors never look after the same data."""
    assert supervisor.running()

    with pytest.raises(SandboxError, match="is in use by another process"):
        Supervisor(tmp_path).start(os.environ)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of it")
def test_check__notices_a_killed_supervisor(supervisor: Supervisor, tmp_path: Path) -> None:
    """When the supervisor itself is killed, its processes end and the handle says so."""
    supervisor.add(shell("worker", tmp_path, "exec sleep 60"))
    pid = status_of(supervisor, "worker").pid
    assert pid
    parent = psutil.Process(pid).parent()
    assert parent
    supervisor.check()

    parent.kill()

    wait_until(lambda: is_gone(pid))
    with pytest.raises(SandboxError, match="The supervisor has ended"):
        supervisor.check()


def test_free_port__is_none_that_clients_get() -> None:
    """A server's port is never one that Linux may give to a client meanwhile."""
    ports = {free_port() for _ in range(20)}

    assert len(ports) > 1
    assert max(ports) < 32_768


def test_free_port__is_nobody_else_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port is given once, also to processes that ask at the same time, before anybody listens."""
    monkeypatch.setattr("sandbox.processes.SERVER_PORTS", range(20_000, 20_200))
    program = "import sandbox.processes as p; p.SERVER_PORTS = range(20_000, 20_200)\n"
    program += "print([p.free_port() for _ in range(20)], flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        theirs = json.loads(other.stdout.readline() if other.stdout else "")

        ours = [free_port() for _ in range(20)]
        other.communicate("\n")

    assert len({*ours, *theirs}) == 40


def test_program__names_the_remedy() -> None:
    """A program whose package is missing is an error with the command that mends it."""
    with pytest.raises(SandboxError, match="of the package 'no-such' is missing"):
        program("nothing", package="no-such")
