"""The EC2 and SSM stand-in as a process of its own, fast enough for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest

from sandbox.cloud.control import Control
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INSTANCE_ID = "i-0123456789abcdef0"
OTHER_INSTANCE_ID = "i-0fedcba9876543210"
REGION = "us-east-1"

_END_TIMEOUT_S = 90.0
# A test that wants to see a state on the way makes that one slow, see the fixture `cloud`.
_DELAYS = {
    "boot_s": 0.05,
    "agent_s": 0.05,
    "stop_s": 0.05,
    "grace_s": 0.5,
    "ping_s": 0.05,
    "deliver_s": 0.02,
    "invisible_s": 0.02,
}
SLOW_S = 60.0


def slow(*delays: str) -> pytest.MarkDecorator:
    """Marks a test whose stand-in takes so long for these that the test never sees their end."""
    return pytest.mark.parametrize(
        "cloud", [dict.fromkeys(delays, SLOW_S)], indirect=True, ids=["slow"]
    )


@dataclass(frozen=True)
class Cloud(Control):
    """A running stand-in, and its process."""

    process: subprocess.Popen[str]

    @property
    def environment(self) -> dict[str, str]:
        """boto3's own variables to find it; nothing else of AWS is reachable."""
        return {
            "AWS_ENDPOINT_URL_EC2": self.url,
            "AWS_ENDPOINT_URL_SSM": self.url,
            "AWS_ACCESS_KEY_ID": "test-access-key",
            "AWS_SECRET_ACCESS_KEY": "test-secret-key",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def wait_for(self, state: str) -> None:
        """Returns when the instance has reached a state."""
        wait_until(lambda: self.state == state)

    def boot(self) -> None:
        """Starts the instance past the API and returns when its SSM agent is up."""
        self.hand("start")
        wait_until(lambda: self.instances()[self.instance_id]["agent_is_up"])


@contextmanager
def cloud_server(data: Path, **options: float | Path) -> Iterator[Cloud]:
    """Runs the stand-in with two instances on a data folder.

    Args:
        data: Its data folder; the same one again reopens it.
        options: Its command line options, such as `boot_s=2.0`.
    """
    command = [sys.executable, "-m", "sandbox.cloud", "--data", str(data)]
    command += ["--instance-id", INSTANCE_ID, "--instance-id", OTHER_INSTANCE_ID]
    for name, value in {**_DELAYS, **options}.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout
        try:
            url = process.stdout.readline().split()[-1]
            yield Cloud(url=url, instance_id=INSTANCE_ID, process=process)
        finally:
            process.terminate()
            try:
                process.wait(timeout=_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()  # or leaving the block would wait for ever
                raise


def is_alive(process: psutil.Process) -> bool:
    """Tells whether a process still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
