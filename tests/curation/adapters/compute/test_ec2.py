from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.adapters.compute.ec2 import Ec2Instances
from curation.errors import CurationError, OperatorError, TransientError
from tests.support.cloud import INSTANCE_ID, REGION, slow

if TYPE_CHECKING:
    from tests.support.cloud import Cloud


@pytest.fixture(scope="module")
def instances() -> Ec2Instances:
    """The adapter, whose client is built once for all these tests."""
    return Ec2Instances(region=REGION)


@pytest.mark.parametrize(
    ("code", "error", "ours", "words"),
    [
        ("InsufficientInstanceCapacity", TransientError, "ec2:capacity", "another zone"),
        ("RequestLimitExceeded", TransientError, "ec2:throttled", "tried again"),
        ("IncorrectInstanceState", TransientError, "ec2:state", "start or a stop"),
        ("InternalError", TransientError, "ec2:internal", "AWS's side"),
        ("Unavailable", TransientError, "ec2:internal", "AWS's side"),
        ("UnauthorizedOperation", OperatorError, "ec2:denied", "Grant ec2:StartInstances"),
        ("AuthFailure", OperatorError, "ec2:denied", "ec2:StartInstances"),
        ("VcpuLimitExceeded", OperatorError, "ec2:quota", "EC2 quota"),
        ("InstanceLimitExceeded", OperatorError, "ec2:quota", "EC2 quota"),
        ("InvalidInstanceID.NotFound", OperatorError, "ec2:not-found", "EC2_REGION"),
        ("UnsupportedOperation", OperatorError, "ec2:refused", "AWS's manual"),
    ],
)
def test_start__reads_each_refusal(
    code: str,
    error: type[CurationError],
    ours: str,
    words: str,
    instances: Ec2Instances,
    running: Cloud,
) -> None:
    """Each refusal says who can mend it, which call it was, and what to do."""
    running.add_faults({"operation": "StartInstances", "code": code, "times": None})

    with pytest.raises(error) as refused:
        instances.start(INSTANCE_ID)

    assert type(refused.value) is error
    assert refused.value.code == ours
    what = f"EC2 StartInstances for {INSTANCE_ID} in {REGION} failed ({code}). "
    assert refused.value.message.startswith(what)
    assert words in refused.value.message


@pytest.mark.parametrize("verb", ["describe", "stop"])
def test_denied__names_the_permission(verb: str, instances: Ec2Instances, running: Cloud) -> None:
    """A person learns which permission to grant."""
    operation = f"{verb.capitalize()}Instances"
    running.add_faults({"operation": operation, "code": "UnauthorizedOperation"})

    with pytest.raises(OperatorError, match=f"Grant ec2:{operation} "):
        getattr(instances, verb)(INSTANCE_ID)


@slow("boot_s")
def test_start__whose_answer_is_lost_is_one_boot(cloud: Cloud) -> None:
    """A start is repeated by botocore; EC2 finds the instance started, and nobody pays twice."""
    cloud.add_faults({"operation": "StartInstances", "kind": "cut-after"})

    state = Ec2Instances(region=REGION).start(INSTANCE_ID)

    assert state == "pending"
    assert [call["acted"] for call in cloud.calls("StartInstances")] == [True, True]
    assert cloud.billing()["boots"] == 1
