from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from sandbox.cloud.control import ControlError
from tests.support.cloud import INSTANCE_ID
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_ec2 import EC2Client
    from types_boto3_ssm import SSMClient

    from tests.support.cloud import Cloud

STOP = "StopInstances"


@pytest.fixture(autouse=True)
def _clear(booted: Cloud) -> Iterator[None]:
    yield
    booted.clear_faults()


def stop(ec2: EC2Client) -> str:
    """Stops an instance that is stopped: harmless, so that the stand-in can be shared."""
    (change,) = ec2.stop_instances(InstanceIds=["i-0fedcba9876543210"])["StoppingInstances"]
    return change["CurrentState"]["Name"]


def test_error__strikes_as_often_as_told(booted_ec2: EC2Client, booted: Cloud) -> None:
    """The script's errors come in its order, then the operation works again."""
    booted.add_faults(
        {"operation": STOP, "code": "RequestLimitExceeded", "times": 2},
        {"operation": STOP, "code": "UnauthorizedOperation", "message": "You may not."},
    )

    codes = [code_of(booted_ec2) for _ in range(4)]

    assert codes == [
        ("RequestLimitExceeded", 503),
        ("RequestLimitExceeded", 503),
        ("UnauthorizedOperation", 403),
        ("", 200),
    ]


def test_error__of_ssm_is_json(booted_ssm: SSMClient, booted: Cloud) -> None:
    """SSM's errors too reach boto3 by their codes."""
    booted.add_faults({"operation": "SendCommand", "code": "ThrottlingException"})

    with pytest.raises(ClientError, match="ThrottlingException"):
        booted_ssm.send_command(
            InstanceIds=[INSTANCE_ID],
            DocumentName="AWS-RunShellScript",
            Parameters={"commands": ["true"]},
        )


def test_error__without_count_strikes_until_cleared(booted_ec2: EC2Client, booted: Cloud) -> None:
    """`times: null` is for good, and `*` is every operation."""
    booted.add_faults({"operation": "*", "code": "InternalError", "times": None})

    codes = [code_of(booted_ec2) for _ in range(3)]
    booted.clear_faults()

    assert codes == [("InternalError", 500)] * 3
    assert code_of(booted_ec2) == ("", 200)


def test_pass__lets_the_first_calls_through(booted_ec2: EC2Client, booted: Cloud) -> None:
    """A fault can begin at a later call."""
    booted.add_faults(
        {"operation": STOP, "kind": "pass", "times": 2},
        {"operation": STOP, "code": "InternalError"},
    )

    assert [code for code, _ in (code_of(booted_ec2) for _ in range(3))] == [
        "",
        "",
        "InternalError",
    ]


@pytest.mark.parametrize(
    ("kind", "error", "acted"),
    [
        ("cut-before", ConnectionClosedError, False),
        ("cut-after", ConnectionClosedError, True),
        ("hang", ReadTimeoutError, False),
    ],
)
def test_lost_answer__with_and_without_effect(
    kind: str, error: type[Exception], *, acted: bool, hasty_ec2: EC2Client, booted: Cloud
) -> None:
    """boto3 cannot tell whether it was done; the call log can."""
    booted.add_faults({"operation": "CreateTags", "kind": kind})

    with pytest.raises(error):
        hasty_ec2.create_tags(Resources=[INSTANCE_ID], Tags=[{"Key": kind, "Value": "there"}])

    assert (kind in booted.instances()[INSTANCE_ID]["tags"]) is acted
    call = booted.calls("CreateTags")[-1]
    assert (call["code"], call["acted"]) == (kind, acted)


def test_delay__answers_late(hasty_ec2: EC2Client, booted: Cloud) -> None:
    """A delayed call is done, after the client may have given up."""
    booted.add_faults({"operation": "CreateTags", "kind": "delay", "seconds": 0.6})

    with pytest.raises(ReadTimeoutError):
        hasty_ec2.create_tags(Resources=[INSTANCE_ID], Tags=[{"Key": "late", "Value": "there"}])

    wait_until(lambda: "late" in booted.instances()[INSTANCE_ID]["tags"])


def test_no_effect__answers_as_if(booted_ec2: EC2Client, booted: Cloud) -> None:
    """A stop that is acknowledged and never happens."""
    booted.add_faults({"operation": STOP, "kind": "no-effect"})

    (change,) = booted_ec2.stop_instances(InstanceIds=[INSTANCE_ID])["StoppingInstances"]

    assert change["CurrentState"]["Name"] == "stopping"
    assert booted.state == "running"
    assert booted.calls(STOP)[-1]["acted"] is False


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"operation": "RunInstances", "code": "InternalError"}, "operation 'RunInstances'"),
        ({"operation": STOP, "kind": "explode"}, "kind 'explode'"),
        ({"operation": STOP}, "needs a code"),
        ({"operation": STOP, "code": "X", "count": 2}, "unknown field 'count'"),
    ],
)
def test_script__that_cannot_strike_is_refused(
    entry: dict[str, Any], complaint: str, booted: Cloud
) -> None:
    """A mistake in a script is an error, not a fault that never comes; nothing of it is kept."""
    with pytest.raises(ControlError, match=complaint):
        booted.add_faults({"operation": STOP, "code": "InternalError"}, entry)

    assert booted.faults() == []


def code_of(ec2: EC2Client) -> tuple[str, int]:
    """Returns code and HTTP status of one harmless stop."""
    try:
        stop(ec2)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "", 200
