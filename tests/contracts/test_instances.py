"""What every adapter of the port `Instances` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

from curation.adapters.compute.ec2 import Ec2Instances
from curation.errors import OperatorError, TransientError
from curation.states import InstanceState
from tests.support.cloud import INSTANCE_ID, OTHER_INSTANCE_ID, REGION, slow

if TYPE_CHECKING:
    from curation.ports import Instances
    from tests.support.cloud import Cloud


@pytest.fixture
def instances(cloud: Cloud) -> Instances:  # noqa: ARG001  # the adapter finds it by the environment
    """The adapter, with the instance stopped."""
    return Ec2Instances(region=REGION)


def test_describe__shows_state_and_tags(instances: Instances) -> None:
    """The view is what EC2 says, tags included."""
    boto3.client("ec2").create_tags(Resources=[INSTANCE_ID], Tags=[{"Key": "a", "Value": "b"}])

    view = instances.describe(INSTANCE_ID)

    assert view.instance_id == INSTANCE_ID
    assert view.state is InstanceState.STOPPED
    assert view.tags == {"a": "b"}


def test_start__makes_a_new_boot(instances: Instances, cloud: Cloud) -> None:
    """A start answers the state it leads to, and the launch time names the boot."""
    before = instances.describe(INSTANCE_ID).launched_at

    state = instances.start(INSTANCE_ID)

    assert state is InstanceState.PENDING
    cloud.wait_for("running")
    view = instances.describe(INSTANCE_ID)
    assert view.state is InstanceState.RUNNING
    assert view.launched_at > before


def test_start__twice_is_harmless(instances: Instances, cloud: Cloud) -> None:
    """The start of a running instance answers that it runs, and is no other boot."""
    cloud.boot()

    assert instances.start(INSTANCE_ID) is InstanceState.RUNNING
    assert cloud.billing()["boots"] == 1


def test_stop__twice_is_harmless(instances: Instances, cloud: Cloud) -> None:
    """A stop answers the state it leads to, and can be repeated until and after the end."""
    cloud.boot()

    first, second = instances.stop(INSTANCE_ID), instances.stop(INSTANCE_ID)
    cloud.wait_for("stopped")

    assert first is second is InstanceState.STOPPING
    assert instances.stop(INSTANCE_ID) is InstanceState.STOPPED


@slow("stop_s")
def test_start__while_stopping_is_transient(instances: Instances, cloud: Cloud) -> None:
    """An instance on its way down can be started later."""
    cloud.boot()
    instances.stop(INSTANCE_ID)

    with pytest.raises(TransientError) as refused:
        instances.start(INSTANCE_ID)

    assert refused.value.code == "ec2:state"


@slow("boot_s")
def test_stop__while_pending_is_transient(instances: Instances) -> None:
    """An instance on its way up can be stopped later."""
    instances.start(INSTANCE_ID)

    with pytest.raises(TransientError) as refused:
        instances.stop(INSTANCE_ID)

    assert refused.value.code == "ec2:state"


def test_tag__leaves_other_tags(instances: Instances, cloud: Cloud) -> None:
    """Tags are set, changed ones too; those of others stay."""
    instances.tag(INSTANCE_ID, {"mine": "1", "other": "2"})
    instances.tag(INSTANCE_ID, {"mine": "3"})

    assert cloud.instances()[INSTANCE_ID]["tags"] == {"mine": "3", "other": "2"}


def test_tag__denied_names_the_permission(instances: Instances, cloud: Cloud) -> None:
    """A missing right is for a person to grant."""
    cloud.add_faults({"operation": "CreateTags", "code": "UnauthorizedOperation"})

    with pytest.raises(OperatorError, match=r"Grant ec2:CreateTags for this instance"):
        instances.tag(INSTANCE_ID, {"mine": "1"})


def test_billed__finds_what_bears_the_tag_and_costs_money(
    instances: Instances, cloud: Cloud
) -> None:
    """An instance counts when it runs and bears the tag with the value `true`, and only then."""
    off = instances.billed("managed")
    cloud.boot()
    untagged = instances.billed("managed")
    instances.tag(INSTANCE_ID, {"managed": "false"})
    refused = instances.billed("managed")
    instances.tag(INSTANCE_ID, {"managed": "true"})
    instances.tag(OTHER_INSTANCE_ID, {"managed": "true"})  # which is stopped

    assert (off, untagged, refused) == ([], [], [])
    assert instances.billed("managed") == [instances.describe(INSTANCE_ID)]


def test_describe__of_no_instance(instances: Instances) -> None:
    """An id that does not exist is for a person to mend, who learns which id and where."""
    with pytest.raises(OperatorError, match=f"i-00000000 in {REGION}.*EC2_INSTANCE_ID") as refused:
        instances.describe("i-00000000")

    assert refused.value.code == "ec2:not-found"
