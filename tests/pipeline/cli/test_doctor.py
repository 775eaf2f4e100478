from __future__ import annotations

import contextlib
import json
import os
import pty
from typing import TYPE_CHECKING

import pytest

from sandbox.world import World
from tests.support.chain import Chain
from tests.support.cli import start

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.support.cli import Curate

# Short enough that beat has sent a round before the first test looks.
SETTINGS = {"REAP_INTERVAL_S": "0.5", "VIDEO_SOURCE": "pexels:popular"}
CHECKS = {
    *("settings", "redis", "redis persistence", "redis eviction"),
    *("s3 input bucket", "s3 lightly bucket", "s3 uploads"),
    *("ec2 instance", "ec2 start", "ec2 stop", "ec2 tags", "ssm agent", "watchdog lease", "leases"),
    *("lightly token", "lightly dataset", "lightly datasource", "lightly worker", "pexels key"),
    *("celery waits", "celery workers", "celery beat", "flower password"),
}
# Settings with which nothing is reached, whatever else is set where the tests run.
NOTHING = {
    **dict.fromkeys(("EC2_INSTANCE_ID", "LIGHTLY_TOKEN", "PEXELS_API_KEY", "S3_INPUT_BUCKET"), ""),
    "REDIS_URL": "redis://127.0.0.1:1/0",
}
SECRETS = (
    *("AWS_SECRET_ACCESS_KEY", "LIGHTLY_TOKEN", "PEXELS_API_KEY", "S3_EXTERNAL_ID"),
    *("FLOWER_BASIC_AUTH", "REDIS_URL"),
)


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """A world in which all is well: every service, hosted Lightly, and Celery's processes."""
    with World(hosted=True, settings=SETTINGS) as world:
        yield Chain(world)


@pytest.fixture
def healthy(chain: Chain) -> Iterator[Chain]:
    """The same for each test."""
    yield chain
    chain.cloud.clear_faults()


def items(printed: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    """Returns the findings by name."""
    document = json.loads(printed.stdout)
    assert document["schema"] == 1
    assert [set(it) for it in document["items"]] == [{"name", "state", "found", "mend"}] * len(
        document["items"]
    )
    return {it["name"]: it for it in document["items"]}


def failed(printed: subprocess.CompletedProcess[str]) -> set[str]:
    """Returns the names of the checks that failed."""
    return {name for name, it in items(printed).items() if it["state"] == "fail"}


def assert_no_secret(chain: Chain, printed: subprocess.CompletedProcess[str]) -> None:
    """Neither stream shows a secret of the world, or one of the test's."""
    secrets = ["canary", *(chain.world.environment[name] for name in SECRETS)]
    assert [it for it in secrets if it in printed.stdout + printed.stderr] == []


def test_doctor__finds_nothing_when_all_is_well(healthy: Chain) -> None:
    """Every check is there, every line says ok, the exit code is 0, and nothing has changed."""
    printed = healthy.curate("doctor", "--json")

    found = items(printed)
    assert {name: it for name, it in found.items() if it["state"] != "ok"} == {}
    assert set(found) == CHECKS
    assert {it["mend"] for it in found.values()} == {None}
    assert (printed.returncode, printed.stderr) == (0, "")
    assert (healthy.cloud.state, healthy.cloud.billing()["boots"]) == ("stopped", 0)
    assert_no_secret(healthy, printed)


def test_doctor__finds_what_is_not_there(healthy: Chain) -> None:
    """A missing bucket and instance, refused keys, a misspelt and a missing setting, at once."""
    printed = healthy.curate(
        *("doctor", "--json"),
        S3_INPUT_BUCKET="s3://nowhere/videos/",
        EC2_INSTANCE_ID="i-00000000000000000",
        LIGHTLY_TOKEN="canary-token",
        PEXELS_API_KEY="canary-key",
        S3_ROLE_ARN="",
        MAX_UPTIME="1",
    )

    found = items(printed)
    assert printed.returncode == 1
    assert failed(printed) == {
        *("s3 input bucket", "ec2 instance", "lightly token", "pexels key"),
        "setting S3_ROLE_ARN",
    }
    assert found["setting MAX_UPTIME"]["state"] == "warn"
    assert "MAX_UPTIME_S" in found["setting MAX_UPTIME"]["mend"]
    assert all(it["mend"] for it in found.values() if it["state"] != "ok")
    assert_no_secret(healthy, printed)


def test_doctor__finds_a_denied_start(healthy: Chain) -> None:
    """A start that EC2 will refuse is found before a run finds it; the instance stays off."""
    fault = {"operation": "StartInstances", "code": "UnauthorizedOperation", "times": None}
    healthy.cloud.add_faults(fault)

    printed = healthy.curate("doctor", SELECTION_BACKEND="engine")

    assert printed.returncode == 1
    assert "fail  ec2 start" in printed.stdout
    assert "-> Grant ec2:StartInstances" in printed.stdout
    assert "1 to mend" in printed.stderr
    assert healthy.cloud.state == "stopped"
    assert_no_secret(healthy, printed)


def test_doctor__goes_on_without_redis_and_with_malformed_settings(healthy: Chain) -> None:
    """A broker away and a malformed setting are findings like others; the rest is checked."""
    printed = healthy.curate(
        *("doctor", "--json"),
        REDIS_URL="redis://:canary@127.0.0.1:1/0",
        POLL_INTERVAL_S="often",
    )

    found = items(printed)
    assert printed.returncode == 1
    assert failed(printed) == {"redis", "setting POLL_INTERVAL_S"}
    assert "'often'" in found["setting POLL_INTERVAL_S"]["found"]
    assert found["celery workers"]["mend"] == "Mend 'setting POLL_INTERVAL_S' first."
    assert {found[name]["state"] for name in ("s3 uploads", "ec2 start", "ssm agent")} == {"ok"}
    assert_no_secret(healthy, printed)


def test_doctor__a_warning_is_no_failure(healthy: Chain) -> None:
    """What may well go on as it is ends in 0, and is counted."""
    printed = healthy.curate(
        "doctor", SELECTION_BACKEND="engine", VIDEO_SOURCE="/videos", MAX_UPTIME="1"
    )

    assert printed.returncode == 0
    assert "warn  setting MAX_UPTIME" in printed.stdout
    assert printed.stderr.strip() == "0 to mend, 1 to look at."


def test_doctor__shows_on_a_terminal_how_far_it_is() -> None:
    """A person sees findings as they come, and then all of them on stdout."""
    terminal, end = pty.openpty()
    with start("doctor", variables=NOTHING, stderr=end) as process:
        os.close(end)
        shown = read(terminal)
        assert process.stdout
        stdout = process.stdout.read()

    assert process.returncode == 1
    assert "Looking at everything that a run needs" in shown
    assert "fail  redis" in stdout


def test_doctor__wrong_usage_is_2(curate: Curate) -> None:
    """Only wrong usage ends in 2."""
    assert curate("doctor", "--nonsense").exit_code == 2


def read(terminal: int) -> str:
    """Returns everything that is written to a terminal until nobody holds its other end."""
    shown = b""
    with contextlib.suppress(OSError):  # how Linux tells the end
        while data := os.read(terminal, 4096):
            shown += data
    os.close(terminal)
    return shown.decode()
