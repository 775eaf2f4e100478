"""What both adapters make of AWS's errors."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from curation.adapters.compute.aws import Service, client_config
from curation.adapters.compute.ec2 import Ec2Instances
from curation.errors import CurationError, OperatorError, TransientError
from tests.support.cloud import INSTANCE_ID, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_ec2 import EC2Client

    from tests.support.cloud import Cloud

DESCRIBE = "DescribeInstances"


def failure(act: Callable[[], object]) -> CurationError:
    """Returns the error of a call that must fail."""
    with pytest.raises(CurationError) as raised:
        act()
    return raised.value


def test_client_config__gives_up_before_a_task_would() -> None:
    """Time-outs are ours, and botocore bridges a few seconds only."""
    config: Any = client_config(attempts=3)  # its stub knows no attributes

    assert (config.connect_timeout, config.read_timeout) == (5, 30)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


def test_call__bridges_a_short_fault(running: Cloud) -> None:
    """Two server errors in a row are botocore's business."""
    running.add_faults({"operation": DESCRIBE, "code": "InternalError", "times": 2})

    assert Ec2Instances(region=REGION).describe(INSTANCE_ID).state == "running"


def test_call__without_answer_is_transient(running: Cloud) -> None:
    """A connection that is cut each time says which call it was."""
    running.add_faults({"operation": DESCRIBE, "kind": "cut-before", "times": 3})

    error = failure(lambda: Ec2Instances(region=REGION).describe(INSTANCE_ID))

    assert (type(error), error.code) == (TransientError, "ec2:unreachable")
    assert error.message == (
        f"EC2 DescribeInstances for {INSTANCE_ID} in {REGION} got no answer "
        "(ConnectionClosedError); it is tried again."
    )


def test_call__to_nobody_is_transient(running: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint at which nobody listens may come back."""
    assert running
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:1")

    error = failure(lambda: Ec2Instances(region=REGION).describe(INSTANCE_ID))

    assert (type(error), error.code) == (TransientError, "ec2:unreachable")


def test_call__with_an_unreadable_answer_is_transient(running: Cloud) -> None:
    """What answers may be a proxy in between; the next answer may be AWS's."""
    running.add_faults({"operation": DESCRIBE, "kind": "garbage", "times": 3})

    error = failure(lambda: Ec2Instances(region=REGION).describe(INSTANCE_ID))

    assert (type(error), error.code) == (TransientError, "ec2:internal")


def test_call__with_expired_credentials_renews_the_client(running: Cloud) -> None:
    """A new client, which reads the credentials again, is built once."""
    clients: list[EC2Client] = []

    def connect() -> EC2Client:
        clients.append(boto3.Session().client("ec2", config=client_config(attempts=3)))
        return clients[-1]

    service = Service("ec2", region=REGION, meanings={}, connect=connect)
    running.add_faults({"operation": DESCRIBE, "code": "RequestExpired"})

    answer = service.call(DESCRIBE, INSTANCE_ID, lambda ec2: ec2.describe_instances())

    assert len(answer["Reservations"]) == 2
    assert len(clients) == 2


def test_call__with_credentials_expired_for_good(running: Cloud) -> None:
    """If fresh credentials are refused too, a person must renew them."""
    running.add_faults({"operation": DESCRIBE, "code": "ExpiredToken", "times": 2})

    error = failure(lambda: Ec2Instances(region=REGION).describe(INSTANCE_ID))

    assert (type(error), error.code) == (OperatorError, "ec2:denied")
    assert "have expired" in error.message
    assert running.faults() == []


def test_call__never_shows_what_was_signed(running: Cloud) -> None:
    """AWS may repeat the signed request in its answer; neither message nor traceback shows it."""
    running.add_faults(
        {
            "operation": DESCRIBE,
            "code": "SignatureDoesNotMatch",
            "message": "The Canonical String should have been x-amz-security-token:CANARY",
        }
    )

    error = failure(lambda: Ec2Instances(region=REGION).describe(INSTANCE_ID))

    assert error.code == "ec2:denied"
    assert "CANARY" not in "".join(traceback.format_exception(error))


def test_call__without_credentials(running: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing credentials are named by their variables; nothing is sent."""
    n_calls = len(running.calls())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    error = failure(lambda: Ec2Instances(region=REGION).describe(INSTANCE_ID))

    assert (type(error), error.code) == (OperatorError, "ec2:denied")
    assert "AWS_ACCESS_KEY_ID" in error.message
    assert len(running.calls()) == n_calls


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AWS_DEFAULT_REGION", None, "Set EC2_REGION"),
        ("AWS_ENDPOINT_URL_EC2", "localhost:8080", "AWS_ENDPOINT_URL_EC2"),
        ("AWS_PROFILE", "no-such-profile", "no-such-profile"),
    ],
)
def test_call__with_wrong_settings(
    name: str, value: str | None, words: str, running: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What boto3 cannot work with is named, with the value and the variable."""
    assert running
    monkeypatch.delenv(name, raising=False)
    if value:
        monkeypatch.setenv(name, value)

    error = failure(lambda: Ec2Instances(region=None).describe(INSTANCE_ID))

    assert (type(error), error.code) == (OperatorError, "config:aws")
    assert words in error.message
