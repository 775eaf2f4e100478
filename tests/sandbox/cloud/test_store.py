from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.cloud import INSTANCE_ID, cloud_server
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    import boto3
    from types_boto3_ec2 import EC2Client

    from tests.support.cloud import Cloud


def test_calls__are_the_ground_truth(ec2: EC2Client, cloud: Cloud) -> None:
    """Every request is there with its time, parameters and result, and no credentials."""
    before = time.time()
    ec2.start_instances(InstanceIds=[INSTANCE_ID])

    (call,) = cloud.calls()

    assert before <= call.pop("time") <= time.time()
    assert call == {
        "service": "ec2",
        "operation": "StartInstances",
        "parameters": {"InstanceId": [INSTANCE_ID]},
        "code": "ok",
        "acted": True,
    }


def test_billing__counts_pending_and_running(cloud: Cloud) -> None:
    """The bill begins with the start and ends with the stop; each boot costs a minute or more."""
    for _ in range(2):
        cloud.boot()
        cloud.hand("stop")
        cloud.wait_for("stopped")

    bill = cloud.billing()

    spans = [ended - started for started, ended in bill.pop("spans")]
    assert all(0.1 <= span < 30 for span in spans)
    assert bill == {"boots": 2, "seconds": pytest.approx(sum(spans)), "billed_seconds": 120.0}


def test_billing__grows_while_it_runs(cloud: Cloud) -> None:
    """A running instance has a bill too."""
    cloud.boot()
    before = cloud.billing()["seconds"]

    assert wait_until(lambda: cloud.billing()["seconds"] > before)
    assert cloud.billing()["spans"][0][1] is None


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_reopening__finds_what_was(
    end: signal.Signals, session: boto3.Session, tmp_path: Path
) -> None:
    """State, tags, launch time, bill and call log survive; a running instance is stopped."""
    with cloud_server(tmp_path) as cloud:
        ec2 = session.client("ec2", endpoint_url=cloud.url)
        ec2.create_tags(Resources=[INSTANCE_ID], Tags=[{"Key": "a", "Value": "b"}])
        cloud.boot()
        truth = cloud.instances()[INSTANCE_ID]
        n_calls = len(cloud.calls())
        cloud.process.send_signal(end)
        cloud.process.wait()
        ended_at = time.time()

    with cloud_server(tmp_path) as cloud:
        stopped = {**truth, "state": "stopped", "agent_is_up": False}
        assert cloud.instances()[INSTANCE_ID] == stopped
        assert len(cloud.calls()) == n_calls
        bill = cloud.billing()
        assert (bill["boots"], bill["billed_seconds"]) == (1, 60.0)
        assert bill["spans"][0][1] <= ended_at
        cloud.boot()
        assert cloud.billing()["boots"] == 2
