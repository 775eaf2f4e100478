"""The stand-in as real boto3 sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from tests.support.cloud import OTHER_INSTANCE_ID, REGION, cloud_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_ec2 import EC2Client
    from types_boto3_ssm import SSMClient

    from tests.support.cloud import Cloud

# One request for one call, so that scripts of faults are easy to count.
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
HASTY = ONCE.merge(Config(read_timeout=0.3))
LEASE_DOCUMENT = {
    "schemaVersion": "2.2",
    "parameters": {"LeaseUntil": {"type": "String", "allowedPattern": "^[0-9]{10}$"}},
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "name": "lease",
            "inputs": {"runCommand": ["echo until {{ LeaseUntil }}"], "timeoutSeconds": 60},
        }
    ],
}


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """A session that reads the service models once."""
    return boto3.Session(
        aws_access_key_id="test-access-key",
        aws_secret_access_key="test-secret-key",
        region_name=REGION,
    )


@pytest.fixture
def ec2(session: boto3.Session, cloud: Cloud) -> EC2Client:
    """EC2."""
    return session.client("ec2", endpoint_url=cloud.url, config=ONCE)


@pytest.fixture
def ssm(session: boto3.Session, cloud: Cloud) -> SSMClient:
    """SSM."""
    return session.client("ssm", endpoint_url=cloud.url, config=ONCE)


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A stand-in for all tests that leave its instances as they are.

    The first instance runs and its agent is online; the other one is stopped and has the tag
    `managed=true`. There is a document `Lease` with one guarded parameter.
    """
    data = tmp_path_factory.mktemp("booted")
    (data / "documents").mkdir()
    (data / "documents" / "Lease.json").write_text(json.dumps(LEASE_DOCUMENT))
    with cloud_server(data) as cloud:
        cloud.boot()
        yield cloud


@pytest.fixture(scope="session")
def booted_ec2(session: boto3.Session, booted: Cloud) -> EC2Client:
    """EC2 of the shared stand-in."""
    ec2 = session.client("ec2", endpoint_url=booted.url, config=ONCE)
    ec2.create_tags(Resources=[OTHER_INSTANCE_ID], Tags=[{"Key": "managed", "Value": "true"}])
    return ec2


@pytest.fixture(scope="session")
def booted_ssm(session: boto3.Session, booted: Cloud) -> SSMClient:
    """SSM of the shared stand-in."""
    return session.client("ssm", endpoint_url=booted.url, config=ONCE)


@pytest.fixture(scope="session")
def hasty_ec2(session: boto3.Session, booted: Cloud) -> EC2Client:
    """EC2 of the shared stand-in, for a client that soon gives up."""
    return session.client("ec2", endpoint_url=booted.url, config=HASTY)
