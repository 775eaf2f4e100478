"""Every service of the compose file does its work, and comes back when it has died."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
import requests
from redis import Redis

from tests.deploy.conftest import LOGIN, PASSWORD
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.compose import Service

LIMIT_S = 90.0


@pytest.mark.timeout(600)
def test_services__come_back(stack: dict[str, Service]) -> None:
    """Each is healthy, is not when it has been killed, and is again when it is started again.

    What they then carry out is a whole run, enqueued by the service `curate`.
    """
    curate, redis = stack["curate"], stack["redis"]
    others = [stack[name] for name in stack if name not in {"curate", "redis"}]
    redis.start()
    healthy([redis])
    with Redis.from_url(curate.environment()["REDIS_URL"]) as client:
        client.set("kept", "yes")
    all_started(others)
    healthy(others)

    for service in (redis, *others):
        service.kill()

    unhealthy([redis, *others])

    redis.start()
    healthy([redis])
    all_started(others)
    healthy(others)

    assert run(curate)["selection"]["n_selected"] == 25
    with Redis.from_url(curate.environment()["REDIS_URL"]) as client:
        assert client.get("kept") == b"yes"


def test_redis__refuses_strangers_and_forgets_nothing(stack: dict[str, Service]) -> None:
    """It wants the password, writes to disk every second and never throws a message away."""
    redis = stack["redis"]
    redis.start()
    healthy([redis])
    url = stack["curate"].environment()["REDIS_URL"]

    with Redis.from_url(url) as client, Redis.from_url(url.replace(PASSWORD, "guess")) as stranger:
        settings = client.config_get("append*", "maxmemory*", "save")
        with pytest.raises(Exception, match=r"WRONGPASS|invalid username-password"):
            stranger.ping()

    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    assert redis.process
    assert PASSWORD not in str(psutil.Process(redis.process.pid).cmdline())


def test_flower__wants_the_password(stack: dict[str, Service]) -> None:
    """Whoever has none sees nothing; whoever has it may look but not steer."""
    stack["redis"].start()
    healthy([stack["redis"]])
    flower = stack["flower"]
    flower.start()
    healthy([flower])
    assert flower.process
    (at,) = listening(flower.process.pid)
    url = f"http://{at[0]}:{at[1]}"

    answers = [
        requests.get(f"{url}/workers", timeout=10, auth=login).status_code
        for login in (None, ("me", "guess"), LOGIN)
    ]

    assert answers == [401, 401, 200]
    shutdown = f"{url}/api/worker/shutdown/reaper@box"
    assert requests.post(shutdown, timeout=10).status_code == 401
    assert requests.post(shutdown, timeout=10, auth=LOGIN).status_code == 403


@pytest.mark.parametrize("login", ["", "me", "me:", ":secret"])
def test_flower__does_not_start_without_a_password(stack: dict[str, Service], login: str) -> None:
    """No password, no dashboard, and a sentence that says what to set."""
    flower = stack["flower"]

    started = subprocess.run(
        flower.command(),
        env=flower.environment() | {"FLOWER_BASIC_AUTH": login},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )

    assert started.returncode == 1
    assert started.stderr.endswith("Set FLOWER_BASIC_AUTH to user:password.\n")


def test_flower__is_on_this_machine_alone_unless_told_otherwise(stack: dict[str, Service]) -> None:
    """Without the address that the compose file gives it, it listens on 127.0.0.1."""
    stack["redis"].start()
    healthy([stack["redis"]])
    flower = stack["flower"]
    flower.entry["command"] = flower.entry["command"].replace("--address=0.0.0.0", "")
    flower.start()
    healthy([flower])

    assert flower.process
    assert {host for host, _ in listening(flower.process.pid)} == {"127.0.0.1"}


def all_started(services: Iterable[Service]) -> None:
    """Starts services at the same time."""
    for service in services:
        service.start()


def healthy(services: Iterable[Service]) -> None:
    """Returns when every service passes its health check."""
    for service in services:
        wait_until(service.is_healthy, limit_s=LIMIT_S)


def unhealthy(services: Iterable[Service]) -> None:
    """Returns when no service passes its health check any more."""
    for service in services:

        def is_ill(service: Service = service) -> bool:
            return not service.is_healthy()

        wait_until(is_ill, limit_s=LIMIT_S)


def run(curate: Service) -> dict[str, dict[str, int]]:
    """Enqueues a run as `docker compose run --rm curate run --wait --json` does."""
    enqueued = subprocess.run(
        curate.command("run", "--wait", "--json"),
        env=curate.environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    status: dict[str, dict[str, int]] = json.loads(enqueued.stdout)
    assert enqueued.returncode == 0, status["error"]
    return status


def listening(pid: int) -> list[tuple[str, int]]:
    """Returns where a process waits for connections."""
    connections = psutil.Process(pid).net_connections(kind="tcp")
    return [
        (item.laddr.ip, item.laddr.port)
        for item in connections
        if item.status == psutil.CONN_LISTEN
    ]
