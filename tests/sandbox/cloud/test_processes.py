from __future__ import annotations

import dataclasses
import signal
from typing import TYPE_CHECKING

import psutil

from tests.support.cloud import INSTANCE_ID, OTHER_INSTANCE_ID, cloud_server, is_alive, slow
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    import boto3
    from types_boto3_ec2 import EC2Client
    from types_boto3_ssm import SSMClient

    from tests.support.cloud import Cloud

# The ways in which a script can leave a process behind. `$$` is the shell's process id.
BACKGROUND = "sh -c 'echo $$ >pid; sleep 60' &"
WAYS = {
    "in the background": BACKGROUND,
    "in a session of its own": "setsid nohup sh -c 'echo $$ >pid; sleep 60' >/dev/null 2>&1 &",
    "deaf to SIGTERM": "setsid sh -c 'trap \"\" TERM; echo $$ >pid; sleep 60; sleep 60' &",
    "without its environment": "setsid sh -c 'env -i sh -c \"echo \\$\\$ >pid; sleep 60\"' &",
    "stopped": "setsid sh -c 'echo $$ >pid; kill -STOP $$; sleep 60' &",
}


def test_stop__ends_every_process(ssm: SSMClient, cloud: Cloud, tmp_path: Path) -> None:
    """When the instance is stopped nothing runs on it, however it was started."""
    cloud.boot()
    processes = {way: run(ssm, line, tmp_path / way) for way, line in WAYS.items()}

    cloud.hand("stop")
    cloud.wait_for("stopped")

    assert [way for way, process in processes.items() if is_alive(process)] == []


def test_stop__leaves_other_instances_alone(ssm: SSMClient, cloud: Cloud, tmp_path: Path) -> None:
    """Each instance has its own processes."""
    cloud.boot()
    process = run(ssm, BACKGROUND, tmp_path)
    other = dataclasses.replace(cloud, instance_id=OTHER_INSTANCE_ID)
    other.boot()

    other.hand("stop")
    other.wait_for("stopped")

    assert is_alive(process)


@slow("grace_s")
def test_stop__by_force_does_not_ask(
    ec2: EC2Client, ssm: SSMClient, cloud: Cloud, tmp_path: Path
) -> None:
    """Force ends at once what would be given time, also when the stop is under way."""
    cloud.boot()
    process = run(ssm, WAYS["deaf to SIGTERM"], tmp_path)
    ec2.stop_instances(InstanceIds=[INSTANCE_ID])

    ec2.stop_instances(InstanceIds=[INSTANCE_ID], Force=True)
    cloud.wait_for("stopped")

    assert not is_alive(process)


def test_shutdown__from_inside_stops_the_instance(
    ec2: EC2Client, ssm: SSMClient, cloud: Cloud, tmp_path: Path
) -> None:
    """`shutdown -h now` on the instance ends in `stopped`, with the reason that AWS gives."""
    cloud.boot()
    process = run(
        ssm, "setsid sh -c 'echo $$ >pid; sleep 0.2; shutdown -h now; sleep 60' &", tmp_path
    )

    cloud.wait_for("stopped")

    (reservation,) = ec2.describe_instances(InstanceIds=[INSTANCE_ID])["Reservations"]
    assert reservation["Instances"][0]["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    assert not is_alive(process)


def test_shutdown__at_another_time_is_refused(ssm: SSMClient, cloud: Cloud, tmp_path: Path) -> None:
    """What is not modelled fails, and nothing is powered off."""
    cloud.boot()

    run(ssm, "shutdown -h +5 || sh -c 'echo $$ >pid; sleep 60' &", tmp_path)

    assert cloud.state == "running"


def test_end__of_the_stand_in_ends_its_processes(session: boto3.Session, tmp_path: Path) -> None:
    """SIGTERM to the stand-in leaves nothing behind, and ends well."""
    with cloud_server(tmp_path / "cloud") as cloud:
        cloud.boot()
        ssm = session.client("ssm", endpoint_url=cloud.url)
        process = run(ssm, WAYS["in a session of its own"], tmp_path)

    assert not is_alive(process)
    assert cloud.process.returncode == 0


def test_reopening__ends_what_a_killed_stand_in_left(
    session: boto3.Session, tmp_path: Path
) -> None:
    """The next stand-in on the data folder ends what the one before could not."""
    with cloud_server(tmp_path / "cloud") as cloud:
        cloud.boot()
        ssm = session.client("ssm", endpoint_url=cloud.url)
        process = run(ssm, WAYS["in a session of its own"], tmp_path)
        cloud.process.send_signal(signal.SIGKILL)
        cloud.process.wait()
    assert is_alive(process)

    with cloud_server(tmp_path / "cloud"):
        assert not is_alive(process)


def run(ssm: SSMClient, line: str, folder: Path) -> psutil.Process:
    """Runs a shell line on the instance and returns the process whose id it writes."""
    folder.mkdir(exist_ok=True)
    pid = folder / "pid"
    ssm.send_command(
        InstanceIds=[INSTANCE_ID],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [f"cd '{folder}'", line]},
    )
    return psutil.Process(int(wait_until(lambda: pid.read_text() if pid.exists() else None)))
