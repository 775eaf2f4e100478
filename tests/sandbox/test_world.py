from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sandbox.processes import SandboxError
from sandbox.world import World
from tests.support.waiting import wait_until
from tests.support.worlds import family, is_gone, redis_of, s3_of


def test_world__leaves_nothing_behind() -> None:
    """After the block there is no process, no socket and no folder."""
    with World(celery=False) as world:
        processes = family(world)
        assert len(processes) >= 4
        data = world.data

    assert [process for process in processes if not is_gone(process)] == []
    assert not data.exists()


def test_world__opens_beside_another() -> None:
    """Two worlds have nothing in common."""
    with World(celery=False) as one, World(celery=False) as other:
        assert set(one.ports.values()).isdisjoint(other.ports.values())
        with redis_of(one) as client:
            client.set("mine", "yes")
        with redis_of(other) as client:
            assert client.keys() == []


def test_world__reopens_its_data(tmp_path: Path) -> None:
    """What was in a named folder is there again when it is opened the next time."""
    data = tmp_path / "data: with odd signs"
    with World(data, celery=False) as world, redis_of(world) as client:
        client.set("kept", "yes")
        s3_of(world).put_object(Bucket="input", Key="kept", Body=b"kept")
        unfinished = data / "buckets" / "input" / ".rclone_temp_put_1"
        unfinished.write_text("left by a server that was killed")

    with World(data, celery=False) as world, redis_of(world) as client:
        assert client.get("kept") == "yes"
        assert s3_of(world).get_object(Bucket="input", Key="kept")["Body"].read() == b"kept"
        assert not unfinished.exists()


def test_world__refuses_a_folder_in_use(tmp_path: Path) -> None:
    """The same data is never served twice at the same time."""
    with (
        World(tmp_path / "data", celery=False),
        pytest.raises(SandboxError, match="is in use"),
        World(tmp_path / "data", celery=False),
    ):
        pass


def test_world__refuses_a_folder_of_something_else(tmp_path: Path) -> None:
    """A folder with other files in it stays as it is."""
    (tmp_path / "thesis.txt").touch()

    with pytest.raises(SandboxError, match="has other files in it"), World(tmp_path):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_world__names_who_did_not_start(tmp_path: Path) -> None:
    """When a process cannot start, the error has its name and the end of its log; nothing stays."""
    journal = tmp_path / "data" / "valkey" / "appendonlydir"
    journal.mkdir(parents=True)
    (journal / "appendonly.aof.manifest").write_text("not a manifest")
    (tmp_path / "data" / "buckets").mkdir()

    with pytest.raises(SandboxError) as error, World(tmp_path / "data", celery=False):
        pass

    assert "valkey ended with exit code 1" in str(error.value)
    assert "FATAL AOF MANIFEST FILE ERROR" in str(error.value)
    assert json.loads((tmp_path / "data" / "processes.json").read_text())["processes"] == {}


SANDBOX = """
import sys
from pathlib import Path
from sandbox.world import World
with World(Path(sys.argv[1]) if sys.argv[1:] else None, celery=False) as world:
    print(world.data, flush=True)
    world.wait(lambda name, status: print(name, status.exit_code, flush=True))
"""


@pytest.mark.parametrize(
    ("number", "exit_code"),
    [
        (signal.SIGINT, -signal.SIGINT),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_wait__ends_it_all(number: signal.Signals, exit_code: int) -> None:
    """Ctrl-C, SIGTERM and even SIGKILL leave no process and no temporary folder."""
    program = start_sandbox()
    data = Path(line_of(program))
    processes = psutil.Process(program.pid).children(recursive=True)
    assert len(processes) >= 4

    # To the whole group, as a terminal does for Ctrl-C.
    os.killpg(program.pid, number)

    assert program.wait(timeout=30) == exit_code
    if number == signal.SIGKILL:
        wait_until(lambda: all(is_gone(process) for process in processes))
    assert [process for process in processes if not is_gone(process)] == []
    assert not data.exists()
    program.communicate()


def test_wait__tells_of_restarts() -> None:
    """Whoever waits is told who died, how, and that it runs again."""
    program = start_sandbox()
    line_of(program)
    valkey = next(
        process
        for process in psutil.Process(program.pid).children(recursive=True)
        if "valkey" in process.name()
    )

    valkey.kill()

    assert line_of(program) == "valkey -9"
    program.terminate()
    program.communicate()


def test_enter__may_be_broken_off(tmp_path: Path) -> None:
    """SIGTERM in the middle of the start leaves no process either."""
    program = start_sandbox(str(tmp_path / "data"))
    wait_until((tmp_path / "data" / "processes.json").exists)
    processes = psutil.Process(program.pid).children(recursive=True)

    program.terminate()

    assert program.wait(timeout=30) == 128 + signal.SIGTERM
    assert processes
    assert [process for process in processes if not is_gone(process)] == []
    program.communicate()


def start_sandbox(*arguments: str) -> subprocess.Popen[str]:
    """Starts a program that opens a world and waits, in a group of its own as shells do."""
    return subprocess.Popen(
        [sys.executable, "-c", SANDBOX, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )


def line_of(program: subprocess.Popen[str]) -> str:
    """Returns the next line that a program prints."""
    assert program.stdout
    return program.stdout.readline().strip()
