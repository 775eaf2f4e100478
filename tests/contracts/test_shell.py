"""What every adapter of the port `Shell` does."""

from __future__ import annotations

import functools
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
import pytest

from curation.adapters.compute.ssm import SsmShell
from curation.errors import TransientError
from tests.support.cloud import INSTANCE_ID, REGION, is_alive
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from curation.ports import Invocation, Shell
    from tests.support.cloud import Cloud

BOOT = 1_795_340_211.5


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script on the instance: it writes down its process id and stays."""
    path = tmp_path / "the worker's run.sh"
    path.write_text(f"echo $$ >>'{tmp_path}/pids'\nsleep 60\n")
    return path


@pytest.fixture
def shell(cloud: Cloud, script: Path) -> Shell:  # noqa: ARG001  # the adapter finds it by the environment
    """The adapter, with the instance stopped."""
    return SsmShell(region=REGION, document="AWS-RunShellScript", script_path=str(script))


def end_of(shell: Shell, command_id: str) -> Invocation:
    """Returns the invocation when it has ended."""

    def ask() -> Invocation | None:
        invocation = shell.invocation(INSTANCE_ID, command_id)
        return invocation if invocation and invocation.is_end else None

    return wait_until(ask)


def has_text(path: Path, text: str) -> bool:
    """Whether a file is there and has this text."""
    return path.exists() and path.read_text() == text


@pytest.mark.parametrize("cloud", [{"agent_s": 1.0}], indirect=True)
def test_is_online__of_this_boot(shell: Shell, cloud: Cloud) -> None:
    """The agent counts only when it has pinged since the boot; an old ping proves nothing."""
    never = shell.is_online(INSTANCE_ID, since=0.0)
    cloud.boot()
    boot = cloud.instances()[INSTANCE_ID]["launched_at"]

    wait_until(lambda: shell.is_online(INSTANCE_ID, since=boot))

    assert never is False
    cloud.hand("stop")
    cloud.wait_for("stopped")
    cloud.hand("start")
    second_boot = cloud.instances()[INSTANCE_ID]["launched_at"]
    of_this_boot = shell.is_online(INSTANCE_ID, since=second_boot)
    assert of_this_boot is False
    assert shell.is_online(INSTANCE_ID, since=boot) is True  # SSM still believes the old ping


def test_launch__before_the_agent_is_transient(shell: Shell) -> None:
    """A command for an instance that SSM cannot reach can be sent later."""
    with pytest.raises(TransientError) as refused:
        shell.launch(INSTANCE_ID, boot=BOOT)

    assert refused.value.code == "ssm:offline"


def test_launch__detaches_the_script(shell: Shell, cloud: Cloud, tmp_path: Path) -> None:
    """The command has ended well while its script goes on, in a session of its own."""
    cloud.boot()

    invocation = end_of(shell, shell.launch(INSTANCE_ID, boot=BOOT))

    pids = tmp_path / "pids"
    process = psutil.Process(int(wait_until(lambda: pids.read_text() if pids.exists() else None)))
    assert (invocation.status, invocation.succeeded) == ("Success", True)
    assert is_alive(process)
    assert os.getsid(process.pid) == process.pid


def test_launch__of_no_script_fails_with_a_reason(shell: Shell, cloud: Cloud, script: Path) -> None:
    """A script that is not there is found by its exit code, and its path is named."""
    cloud.boot()
    script.unlink()

    invocation = end_of(shell, shell.launch(INSTANCE_ID, boot=BOOT))

    assert (invocation.status, invocation.succeeded) == ("Failed", False)
    assert invocation.detail == (
        f"Failed, exit code 127; stderr ends with: There is no script {script} on this instance; "
        "set SCRIPT_PATH."
    )


def test_find_launch__knows_the_boot(shell: Shell, cloud: Cloud) -> None:
    """A launch whose answer was lost can be found again; one of another boot is another one."""
    cloud.boot()
    before = shell.find_launch(INSTANCE_ID, boot=BOOT)
    sent = shell.launch(INSTANCE_ID, boot=BOOT)
    end_of(shell, sent)

    assert before is None
    assert shell.find_launch(INSTANCE_ID, boot=BOOT) == sent
    assert shell.find_launch(INSTANCE_ID, boot=BOOT + 1.0) is None


def test_invocation__of_an_unknown_command(shell: Shell) -> None:
    """A command that SSM does not know, or not yet, is None."""
    assert shell.invocation(INSTANCE_ID, str(uuid.uuid4())) is None


def test_cancel__ends_what_runs(shell: Shell, cloud: Cloud) -> None:
    """A command that is still going is canceled; later cancels are harmless."""
    cloud.boot()
    answer = boto3.client("ssm").send_command(
        InstanceIds=[INSTANCE_ID],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["sleep 60"]},
    )
    command_id = answer["Command"]["CommandId"]

    shell.cancel(INSTANCE_ID, command_id)

    invocation = end_of(shell, command_id)
    assert (invocation.status, invocation.succeeded) == ("Cancelled", False)
    shell.cancel(INSTANCE_ID, command_id)
    shell.cancel(INSTANCE_ID, str(uuid.uuid4()))


def test_renew_lease__writes_the_time(shell: Shell, cloud: Cloud) -> None:
    """The lease is on the instance a moment later, whole, and a later one takes its place."""
    cloud.boot()
    lease = Path(cloud.instances()[INSTANCE_ID]["run_folder"]) / "lease"

    for until in (1_795_340_211, 1_795_340_511):
        shell.renew_lease(INSTANCE_ID, until=until)
        wait_until(functools.partial(has_text, lease, f"{until}\n"))

    assert [path.name for path in lease.parent.iterdir()] == ["lease"]


def test_renew_lease__before_the_agent_is_transient(shell: Shell) -> None:
    """A lease for an instance that SSM cannot reach can be sent later."""
    with pytest.raises(TransientError) as refused:
        shell.renew_lease(INSTANCE_ID, until=1_795_340_211)

    assert refused.value.code == "ssm:offline"


def test_renew_lease__is_no_launch(shell: Shell, cloud: Cloud) -> None:
    """Whoever looks for a lost launch does not find a lease."""
    cloud.boot()
    shell.renew_lease(INSTANCE_ID, until=1_795_340_211)
    wait_until(lambda: cloud.calls("SendCommand"))

    assert shell.find_launch(INSTANCE_ID, boot=BOOT) is None
