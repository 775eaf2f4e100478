from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import INSTANCE_ID, OTHER_INSTANCE_ID, slow
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef

    from tests.support.cloud import Cloud


def describe(ec2: EC2Client, instance_id: str = INSTANCE_ID) -> InstanceTypeDef:
    """Returns what EC2 says about an instance."""
    return ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]


def test_start__goes_through_pending_to_running(ec2: EC2Client, cloud: Cloud) -> None:
    """A start answers both states, takes its time, and leaves other instances alone."""
    change = ec2.start_instances(InstanceIds=[INSTANCE_ID])["StartingInstances"][0]

    assert change["PreviousState"] == {"Code": 80, "Name": "stopped"}
    assert change["CurrentState"] == {"Code": 0, "Name": "pending"}
    cloud.wait_for("running")
    assert describe(ec2)["State"] == {"Code": 16, "Name": "running"}
    assert describe(ec2, OTHER_INSTANCE_ID)["State"]["Name"] == "stopped"


def test_start__of_a_started_one_is_harmless(ec2: EC2Client, cloud: Cloud) -> None:
    """A second start changes nothing: neither state nor launch time nor the number of boots."""
    ec2.start_instances(InstanceIds=[INSTANCE_ID])
    launched = describe(ec2)["LaunchTime"]
    ec2.start_instances(InstanceIds=[INSTANCE_ID])
    cloud.wait_for("running")

    change = ec2.start_instances(InstanceIds=[INSTANCE_ID])["StartingInstances"][0]

    assert change["PreviousState"]["Name"] == change["CurrentState"]["Name"] == "running"
    assert describe(ec2)["LaunchTime"] == launched
    assert cloud.billing()["boots"] == 1


@slow("stop_s")
def test_start__while_stopping_is_refused(ec2: EC2Client, cloud: Cloud) -> None:
    """An instance on its way down cannot be started, and stays on its way."""
    cloud.boot()
    ec2.stop_instances(InstanceIds=[INSTANCE_ID])

    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[INSTANCE_ID])

    assert describe(ec2)["State"] == {"Code": 64, "Name": "stopping"}


@slow("boot_s")
def test_stop__while_pending_is_refused(ec2: EC2Client) -> None:
    """An instance on its way up cannot be stopped, and stays on its way."""
    ec2.start_instances(InstanceIds=[INSTANCE_ID])

    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        ec2.stop_instances(InstanceIds=[INSTANCE_ID])

    assert describe(ec2)["State"] == {"Code": 0, "Name": "pending"}


def test_stop__goes_through_stopping_to_stopped(ec2: EC2Client, cloud: Cloud) -> None:
    """A stop answers both states, takes its time, and can be repeated."""
    cloud.boot()

    change = ec2.stop_instances(InstanceIds=[INSTANCE_ID])["StoppingInstances"][0]

    assert change["PreviousState"]["Name"] == "running"
    assert change["CurrentState"] == {"Code": 64, "Name": "stopping"}
    ec2.stop_instances(InstanceIds=[INSTANCE_ID])
    cloud.wait_for("stopped")
    ec2.stop_instances(InstanceIds=[INSTANCE_ID])
    assert describe(ec2)["StateReason"]["Code"] == "Client.UserInitiatedShutdown"


def test_launch_time__names_the_boot(ec2: EC2Client, cloud: Cloud) -> None:
    """Each boot has its own launch time, which a stop does not change."""
    cloud.boot()
    first = describe(ec2)["LaunchTime"]
    ec2.stop_instances(InstanceIds=[INSTANCE_ID])
    cloud.wait_for("stopped")

    stopped = describe(ec2)["LaunchTime"]
    cloud.boot()

    assert stopped == first
    assert describe(ec2)["LaunchTime"] > first


@pytest.mark.parametrize("verb", ["start_instances", "stop_instances", "describe_instances"])
def test_dry_run__only_says_that_it_would(verb: str, booted_ec2: EC2Client, booted: Cloud) -> None:
    """A dry run answers 412 and does nothing."""
    with pytest.raises(ClientError, match="DryRunOperation") as refused:
        getattr(booted_ec2, verb)(InstanceIds=[INSTANCE_ID], DryRun=True)

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert booted.state == "running"


@pytest.mark.parametrize(
    ("instance_id", "code"),
    [
        ("i-00000000", "InvalidInstanceID.NotFound"),
        ("vm-1", "InvalidInstanceID.Malformed"),
    ],
)
def test_ids__that_do_not_exist_are_refused(
    instance_id: str, code: str, booted_ec2: EC2Client
) -> None:
    """EC2 tells an unknown id from one that cannot be; nothing of the call is done."""
    with pytest.raises(ClientError, match=re.escape(code)):
        booted_ec2.stop_instances(InstanceIds=[INSTANCE_ID, instance_id])

    assert describe(booted_ec2)["State"]["Name"] == "running"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([{"Name": "instance-id", "Values": [OTHER_INSTANCE_ID]}], {OTHER_INSTANCE_ID}),
        ([{"Name": "instance-state-name", "Values": ["pending", "running"]}], {INSTANCE_ID}),
        ([{"Name": "tag:managed", "Values": ["t*"]}], {OTHER_INSTANCE_ID}),
        ([{"Name": "tag-key", "Values": ["managed"]}], {OTHER_INSTANCE_ID}),
        ([{"Name": "tag:managed", "Values": ["false"]}], set()),
        (
            [
                {"Name": "tag:managed", "Values": ["true"]},
                {"Name": "instance-state-name", "Values": ["running"]},
            ],
            set(),
        ),
        ([], {INSTANCE_ID, OTHER_INSTANCE_ID}),
    ],
)
def test_filters__choose(
    filters: list[FilterTypeDef], found: set[str], booted_ec2: EC2Client
) -> None:
    """A filter takes any of its values; several filters must all hold."""
    reservations = booted_ec2.describe_instances(Filters=filters)["Reservations"]

    assert {one["InstanceId"] for each in reservations for one in each["Instances"]} == found


def test_filters__unknown_are_refused(booted_ec2: EC2Client) -> None:
    """A misspelt filter is an error, not an empty answer."""
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        booted_ec2.describe_instances(Filters=[{"Name": "state", "Values": ["running"]}])


def test_describe_instance_status__shows_running_ones(booted_ec2: EC2Client) -> None:
    """Without IncludeAllInstances only running instances are shown."""
    running = booted_ec2.describe_instance_status()["InstanceStatuses"]
    everything = booted_ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]

    assert [one["InstanceId"] for one in running] == [INSTANCE_ID]
    assert running[0]["InstanceStatus"]["Status"] == "ok"
    assert len(everything) == 2


def test_tags__are_set_replaced_and_removed(ec2: EC2Client) -> None:
    """CreateTags replaces values; DeleteTags with another value removes nothing."""
    ec2.create_tags(
        Resources=[INSTANCE_ID],
        Tags=[{"Key": "lease", "Value": "1"}, {"Key": "run", "Value": "a"}],
    )
    ec2.create_tags(Resources=[INSTANCE_ID], Tags=[{"Key": "lease", "Value": "2"}])

    ec2.delete_tags(
        Resources=[INSTANCE_ID], Tags=[{"Key": "run"}, {"Key": "lease", "Value": "other"}]
    )

    assert describe(ec2)["Tags"] == [{"Key": "lease", "Value": "2"}]


@pytest.mark.parametrize("cloud", [{"lag_s": 1.0}], indirect=True)
def test_describe__lags_behind(ec2: EC2Client, cloud: Cloud) -> None:
    """After a start EC2 may still say `stopped`, with the launch time of the boot before."""
    before = describe(ec2)["LaunchTime"]
    ec2.start_instances(InstanceIds=[INSTANCE_ID])
    cloud.wait_for("running")

    seen = describe(ec2)

    assert (seen["State"]["Name"], seen["LaunchTime"]) == ("stopped", before)
    wait_until(lambda: describe(ec2)["State"]["Name"] == "running")
