"""The instance by EC2: describe, start, stop, tag; and what else bears our tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from curation.adapters.compute.aws import (
    INTERNAL,
    Meaning,
    Service,
    brief_config,
    client_config,
    code_of,
)
from curation.errors import OperatorError, TransientError
from curation.ports import InstanceView
from curation.states import InstanceState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.config import Config
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import InstanceTypeDef, TagTypeDef

# Start and stop are idempotent, so botocore may repeat what got no answer.
_ATTEMPTS = 3
_CAPACITY = Meaning(
    TransientError,
    "capacity",
    "AWS has no instance of this type free in its zone; it is tried again. If this goes on, use "
    "an instance of another type or in another zone (EC2_INSTANCE_ID).",
)
_STATE = Meaning(
    TransientError,
    "state",
    "It is in the middle of a start or a stop; it is tried again when that is over.",
)
_QUOTA = Meaning(
    OperatorError,
    "quota",
    "The account may not run more of this type. Raise the EC2 quota in Service Quotas, or stop "
    "other instances.",
)
_NOT_FOUND = Meaning(
    OperatorError, "not-found", "Check EC2_INSTANCE_ID, EC2_REGION and the account."
)
_MEANINGS = {
    "IncorrectInstanceState": _STATE,
    "IncorrectState": _STATE,
    "InstanceLimitExceeded": _QUOTA,
    "InsufficientCapacity": _CAPACITY,
    "InsufficientHostCapacity": _CAPACITY,
    "InsufficientInstanceCapacity": _CAPACITY,
    "InternalError": INTERNAL,
    "InvalidInstanceID.Malformed": _NOT_FOUND,
    "InvalidInstanceID.NotFound": _NOT_FOUND,
    "VcpuLimitExceeded": _QUOTA,
}


class Ec2Instances:
    """EC2 in one region. Endpoint and credentials come from boto3's own variables."""

    def __init__(self, *, region: str | None) -> None:
        def connect(config: Config) -> EC2Client:
            return boto3.Session().client("ec2", region_name=region, config=config)

        def service(config: Config) -> Service[EC2Client]:
            return Service(
                "ec2", region=region, meanings=_MEANINGS, connect=lambda: connect(config)
            )

        self._ec2 = service(client_config(attempts=_ATTEMPTS))
        self._brief = service(brief_config())

    def describe(self, instance_id: str) -> InstanceView:
        """Looks at the instance."""

        def send(ec2: EC2Client) -> InstanceView:
            answer = ec2.describe_instances(InstanceIds=[instance_id])
            return _view(answer["Reservations"][0]["Instances"][0])

        return self._ec2.call("DescribeInstances", instance_id, send)

    def start(self, instance_id: str) -> InstanceState:
        """Starts it and returns the state EC2 answers. Harmless when it runs."""

        def send(ec2: EC2Client) -> InstanceState:
            answer = ec2.start_instances(InstanceIds=[instance_id])
            return InstanceState(answer["StartingInstances"][0]["CurrentState"]["Name"])

        return self._ec2.call("StartInstances", instance_id, send)

    def stop(self, instance_id: str) -> InstanceState:
        """Stops it and returns the state EC2 answers. Harmless when it is stopped."""

        def send(ec2: EC2Client) -> InstanceState:
            answer = ec2.stop_instances(InstanceIds=[instance_id])
            return InstanceState(answer["StoppingInstances"][0]["CurrentState"]["Name"])

        return self._ec2.call("StopInstances", instance_id, send)

    def tag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Sets tags, and leaves the others as they are. Holds nobody up."""

        def send(ec2: EC2Client) -> None:
            ec2.create_tags(Resources=[instance_id], Tags=_tags(tags))

        self._brief.call("CreateTags", instance_id, send)

    def billed(self, tag: str) -> list[InstanceView]:
        """Returns all instances of the region that bear the tag `true` and cost money now."""
        states = [state for state in InstanceState if state.is_billed]

        def send(ec2: EC2Client) -> list[InstanceView]:
            answer = ec2.describe_instances(
                Filters=[
                    {"Name": f"tag:{tag}", "Values": ["true"]},
                    {"Name": "instance-state-name", "Values": states},
                ]
            )
            return [_view(one) for group in answer["Reservations"] for one in group["Instances"]]

        return self._brief.call("DescribeInstances", f"all with {tag}", send)

    def would_describe(self, instance_id: str) -> bool:
        """Whether EC2 knows dry runs; False if it has described the instance instead.

        Raises:
            OperatorError: If the call is not permitted; the same for the two below.
        """
        return self._rehearse(
            "DescribeInstances",
            instance_id,
            lambda ec2: ec2.describe_instances(InstanceIds=[instance_id], DryRun=True),
        )

    def would_start(self, instance_id: str) -> bool:
        """Whether EC2 would start it if asked; False if it knows no dry runs and has done it."""
        return self._rehearse(
            "StartInstances",
            instance_id,
            lambda ec2: ec2.start_instances(InstanceIds=[instance_id], DryRun=True),
        )

    def would_stop(self, instance_id: str) -> bool:
        """Whether EC2 would stop it if asked; False if it knows no dry runs and has done it."""
        return self._rehearse(
            "StopInstances",
            instance_id,
            lambda ec2: ec2.stop_instances(InstanceIds=[instance_id], DryRun=True),
        )

    def would_tag(self, instance_id: str, tags: Mapping[str, str]) -> bool:
        """Whether EC2 would set these tags; False if it knows no dry runs and has done it."""
        return self._rehearse(
            "CreateTags",
            instance_id,
            lambda ec2: ec2.create_tags(Resources=[instance_id], Tags=_tags(tags), DryRun=True),
        )

    def _rehearse(
        self, operation: str, instance_id: str, send: Callable[[EC2Client], object]
    ) -> bool:
        def rehearse(ec2: EC2Client) -> bool:
            try:
                send(ec2)
            except ClientError as error:
                if code_of(error) != "DryRunOperation":
                    raise
                return True  # EC2's way to say yes
            return False

        return self._ec2.call(operation, instance_id, rehearse)


def _tags(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _view(instance: InstanceTypeDef) -> InstanceView:
    return InstanceView(
        instance_id=instance["InstanceId"],
        state=InstanceState(instance["State"]["Name"]),
        launched_at=instance["LaunchTime"].timestamp(),
        tags={tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])},
    )
