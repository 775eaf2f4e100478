from __future__ import annotations

import base64
import os
import signal
import stat
import subprocess
import urllib.request
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit

import psutil
import pytest

from sandbox.cast import CONTROL_WORKER
from sandbox.readiness import http_answers, worker_answers
from sandbox.world import World
from tests.support.waiting import wait_until
from tests.support.worlds import family

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "a-value-of-the-user-s-own"
# What a person may have set for real accounts, and what would lead calls off this machine.
USERS_OWN = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "HTTPS_PROXY",
    "LIGHTLY_TOKEN",
    "PEXELS_API_KEY",
    "RCLONE_CONFIG",
    "REDIS_URL",
    "S3_ROLE_ARN",
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A whole world, started by a person with accounts of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in USERS_OWN:
            patch.setenv(name, CANARY)
        world = World().__enter__()
    yield world
    world.__exit__(None, None, None)


def test_world__listens_on_this_machine_only(world: World) -> None:
    """Every listening socket of every process is bound to 127.0.0.1."""
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in family(world)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {("127.0.0.1", port) for port in world.ports.values()}


def test_world__takes_over_nothing_of_the_users_own(world: World) -> None:
    """No process has a variable of the user's accounts, proxies or settings."""
    leaks = [
        f"{process.name()}: {name}"
        for process in family(world)
        for name, value in process.environ().items()
        if CANARY in value
    ]

    assert leaks == []


def test_world__shows_no_secret_on_a_command_line(world: World) -> None:
    """Passwords and keys are not to be read with `ps`."""
    password = urlsplit(world.environment["REDIS_URL"]).password
    assert password

    keys = [world.environment[name] for name in ("AWS_SECRET_ACCESS_KEY", "PEXELS_API_KEY")]

    lines = [" ".join(process.cmdline()) for process in family(world)]

    for secret in (password, *keys):
        assert [line for line in lines if secret in line] == []


def test_world__keeps_its_data_to_itself(world: World) -> None:
    """The data folder, which holds passwords, is closed to other users."""
    assert stat.S_IMODE(world.data.stat().st_mode) == 0o700


def test_door__lets_nothing_of_the_users_own_in(world: World, tmp_path: Path) -> None:
    """Neither a variable nor a `.env` of a person leads a command of the sandbox elsewhere."""
    (tmp_path / ".env").write_text(f"LIGHTLY_TOKEN={CANARY}\nS3_ROLE_ARN={CANARY}\n")
    script = (
        "import os; from curation.settings import Settings; settings = Settings.load();"
        "print(settings.lightly.token, settings.s3.role_arn, settings.s3.input_bucket);"
        "print(os.environ.get('AWS_PROFILE'), os.getcwd())"
    )

    printed = subprocess.check_output(
        [world.door, "python", "-c", script], cwd=tmp_path, text=True, env={"AWS_PROFILE": CANARY}
    )

    assert printed == f"None None s3://input/videos/\nNone {tmp_path}\n"


@pytest.mark.parametrize("name", ["Pages", "Flower"])
def test_pages__want_a_password(world: World, name: str) -> None:
    """The link that a person is given opens our pages, or Flower, and nothing else does."""
    link = urlsplit(world.links[name])
    login = base64.b64encode(f"{link.username}:{link.password}".encode()).decode()
    url = f"http://127.0.0.1:{link.port}/"

    with urllib.request.urlopen(
        urllib.request.Request(url, headers={"Authorization": f"Basic {login}"})
    ) as answer:
        assert answer.status == 200
    with pytest.raises(HTTPError, match="401") as refusal:
        urllib.request.urlopen(url)
    refusal.value.close()


@pytest.mark.parametrize("name", ["cloud", "pexels", "control", "beat", "flower", "web"])
def test_world__restarts_who_is_killed(world: World, name: str) -> None:
    """Whoever is killed is started again and does its work."""
    before = world.processes[name]
    assert before.pid

    os.kill(before.pid, signal.SIGKILL)

    wait_until(lambda: world.processes[name].restarts > before.restarts)
    assert wait_until(lambda: answers(world, name))
    assert world.processes[name].restarts == before.restarts + 1


def answers(world: World, name: str) -> bool:
    """Tells whether a process does its work, as far as it can be asked."""
    if name == "control":
        return worker_answers(world.environment["REDIS_URL"], CONTROL_WORKER)
    if name in ("cloud", "pexels"):
        return http_answers(world.ports[name], "/sandbox/health", status=200)
    if name == "flower":
        return http_answers(world.ports["flower"], "/healthcheck", status=200)
    if name == "web":
        return http_answers(world.ports["web"], "/health", status=200)
    return (
        world.log("beat").read_text().count("beat: Starting") == 1 + world.processes[name].restarts
    )
