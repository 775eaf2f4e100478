from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest

from sandbox import stack
from sandbox.processes import Supervisor, free_port
from sandbox.readiness import worker_answers
from sandbox.world import World
from tests.support.waiting import wait_until
from tests.support.worlds import is_gone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sandbox.launch import Part

QUEUES = ["ingest", "compute", "selection", "reaper", "reports"]
PAGES = ["beat", "flower", "web"]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The servers that the user's settings lead to."""
    with World(celery=False) as world:
        yield world


@pytest.fixture
def settings(world: World) -> dict[str, str]:
    """What the user has set: a broker of their own, which is not running, and no instance."""
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    ports = {name: str(free_port()) for name in ("FLOWER_PORT", "WEB_PORT")}
    kept = {name: value for name, value in world.environment.items() if name != "EC2_INSTANCE_ID"}
    return kept | ports | {"REDIS_URL": url}


def run(command: str, folder: Path, settings: Mapping[str, str]) -> str:
    """Brings the stack up or down as `make` does, and returns all that is printed."""
    return subprocess.run(
        ["python", "-m", "sandbox.stack", command],
        cwd=folder,
        env=dict(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout


def names_of(layers: list[list[Part]]) -> list[str]:
    """Returns the names of all processes."""
    return [part.process.name for layer in layers for part in layer]


def test_up__runs_until_down(settings: dict[str, str], tmp_path: Path) -> None:
    """One command starts all that the settings ask for and keeps it running; one ends it."""
    supervisor = Supervisor(tmp_path / "var")
    try:
        assert run("up", tmp_path, settings).splitlines() == [
            f"Running: {', '.join(['valkey', *QUEUES, 'engine', *PAGES])}",
            f"Pages:   http://127.0.0.1:{settings['WEB_PORT']}/",
            f"Flower:  http://127.0.0.1:{settings['FLOWER_PORT']}/",
            f"Logs:    {tmp_path}/var/logs",
            "Stop it: make down",
        ]
        processes = [psutil.Process(status.pid) for status in supervisor.processes().values()]
        os.kill(processes[2].pid, signal.SIGKILL)
        wait_until(lambda: supervisor.processes()["compute"].restarts == 1)
        wait_until(lambda: worker_answers(settings["REDIS_URL"], "compute@stack"))
        assert "is in use by another process" in run("up", tmp_path, settings)
    finally:
        printed = run("down", tmp_path, settings)

    assert printed == "Everything has ended.\n"
    assert [process for process in processes if not is_gone(process)] == []
    assert run("down", tmp_path, settings) == "Nothing was running.\n"


def test_up__names_who_does_not_start(
    world: World, settings: dict[str, str], tmp_path: Path
) -> None:
    """When a process cannot start, the end of its log is shown, and nothing stays."""
    taken = f"redis://127.0.0.1:{world.ports['s3']}/0"

    printed = run("up", tmp_path, settings | {"REDIS_URL": taken})

    assert printed.startswith("valkey ended with exit code 1.")
    assert "Address already in use" in printed
    assert not Supervisor(tmp_path / "var").running()


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({}, ["valkey", *QUEUES, "engine", *PAGES]),
        ({"EC2_INSTANCE_ID": "i-0123456789abcdef0"}, ["valkey", *QUEUES, *PAGES]),
        ({"REDIS_URL": "rediss://elsewhere:6379/0"}, [*QUEUES, "engine", *PAGES]),
    ],
)
def test_layers__are_what_the_settings_ask_for(
    settings: dict[str, str], changed: dict[str, str], names: list[str], tmp_path: Path
) -> None:
    """A broker elsewhere is not brought here, and neither is the engine from an instance."""
    layers = stack._layers(tmp_path, settings | changed)

    assert names_of(layers) == names


def test_layers__have_no_second_broker(
    world: World, settings: dict[str, str], tmp_path: Path
) -> None:
    """A broker that answers at the URL of the settings is used."""
    layers = stack._layers(tmp_path, settings | {"REDIS_URL": world.environment["REDIS_URL"]})

    assert "valkey" not in names_of(layers)


def test_layers__pages_and_flower_lead_to_each_other(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """Each is told where the other one is, unless the settings do so."""
    del settings["FLOWER_URL"], settings["WEB_URL"]

    told = {
        part.process.name: part.process.environment
        for layer in stack._layers(tmp_path, settings)
        for part in layer
    }

    assert told["flower"] == {"WEB_URL": f"http://127.0.0.1:{settings['WEB_PORT']}/"}
    assert told["web"] == {"FLOWER_URL": f"http://127.0.0.1:{settings['FLOWER_PORT']}/"}


@pytest.mark.parametrize(
    ("login", "name"), [("FLOWER_BASIC_AUTH", "flower"), ("WEB_BASIC_AUTH", "web")]
)
def test_layers__have_no_pages_without_a_password(
    settings: dict[str, str], login: str, name: str, tmp_path: Path
) -> None:
    """Flower and our pages show everything, so they are not started for everybody."""
    del settings[login]

    names = names_of(stack._layers(tmp_path, settings))

    assert {"flower", "web"} - set(names) == {name}
