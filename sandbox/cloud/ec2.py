"""EC2's operations on the modelled instances; answers are trees that become XML."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from sandbox.cloud.errors import AwsError
from sandbox.cloud.instance import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.cloud.instance import Instance, Snapshot
    from sandbox.cloud.request import Request
    from sandbox.cloud.wire import Tree

INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
# InstanceState codes of the EC2 API reference.
_CODES = {State.PENDING: 0, State.RUNNING: 16, State.STOPPING: 64, State.STOPPED: 80}


class Ec2:
    """EC2 of one account and region."""

    def __init__(self, instances: Mapping[str, Instance]) -> None:
        self._instances = instances
        self.operations: dict[str, Callable[[Request], dict[str, Tree]]] = {
            "StartInstances": self._start,
            "StopInstances": self._stop,
            "DescribeInstances": self._describe,
            "DescribeInstanceStatus": self._describe_status,
            "CreateTags": self._create_tags,
            "DeleteTags": self._delete_tags,
        }

    def act(self, request: Request) -> dict[str, Tree]:
        """Carries out a request and returns the answer.

        Raises:
            AwsError: As EC2 would answer.
        """
        act = self.operations.get(request.operation)
        if act is None:
            message = f"The action {request.operation} is not valid for this web service."
            raise AwsError("InvalidAction", message)
        return act(request)

    def _start(self, request: Request) -> dict[str, Tree]:
        def start(instance: Instance) -> State:
            if not request.is_effective:
                return State.PENDING
            instance.start()
            return instance.now.state

        return self._change(request, start)

    def _stop(self, request: Request) -> dict[str, Tree]:
        def stop(instance: Instance) -> State:
            if not request.is_effective:
                return State.STOPPING
            instance.stop(force=request.parameters.get("Force") == "true")
            return instance.now.state

        return self._change(request, stop)

    def _change(self, request: Request, act: Callable[[Instance], State]) -> dict[str, Tree]:
        instances = self._named(request.parameters.get("InstanceId", []))
        _refuse_dry_run(request)
        changes: list[Tree] = []
        for instance in instances:
            previous = instance.now.state
            change = {"currentState": _state(act(instance)), "previousState": _state(previous)}
            changes.append({"instanceId": instance.instance_id, **change})
        return {"instancesSet": changes}

    def _describe(self, request: Request) -> dict[str, Tree]:
        reservations: list[Tree] = [
            {
                "reservationId": f"r-{instance.instance_id.removeprefix('i-')}",
                "ownerId": "123456789012",
                "instancesSet": [_description(instance)],
            }
            for instance in self._chosen(request)
        ]
        return {"reservationSet": reservations}

    def _describe_status(self, request: Request) -> dict[str, Tree]:
        include_all = request.parameters.get("IncludeAllInstances") == "true"
        statuses: list[Tree] = [
            {
                "instanceId": instance.instance_id,
                "instanceState": _state(instance.seen.state),
                "instanceStatus": {"status": _health(instance.seen)},
                "systemStatus": {"status": _health(instance.seen)},
            }
            for instance in self._chosen(request)
            if include_all or instance.seen.state is State.RUNNING
        ]
        return {"instanceStatusSet": statuses}

    def _create_tags(self, request: Request) -> dict[str, Tree]:
        instances = self._named(request.parameters.get("ResourceId", []))
        _refuse_dry_run(request)
        for instance in instances if request.is_effective else []:
            for tag in request.parameters.get("Tag", []):
                instance.tag(tag["Key"], tag.get("Value", ""))
        return {"return": "true"}

    def _delete_tags(self, request: Request) -> dict[str, Tree]:
        instances = self._named(request.parameters.get("ResourceId", []))
        _refuse_dry_run(request)
        for instance in instances if request.is_effective else []:
            for tag in request.parameters.get("Tag", []):
                if tag.get("Value") in (None, instance.tags.get(tag["Key"])):
                    instance.tag(tag["Key"], None)
        return {"return": "true"}

    def _chosen(self, request: Request) -> list[Instance]:
        instances = self._named(request.parameters.get("InstanceId", list(self._instances)))
        _refuse_dry_run(request)
        filters: list[dict[str, Any]] = request.parameters.get("Filter", [])
        return [
            instance
            for instance in instances
            if all(_matches(instance, item["Name"], item["Value"]) for item in filters)
        ]

    def _named(self, instance_ids: list[str]) -> list[Instance]:
        for instance_id in instance_ids:
            if not INSTANCE_ID.fullmatch(instance_id):
                message = f'Invalid id: "{instance_id}"'
                raise AwsError("InvalidInstanceID.Malformed", message)
            if instance_id not in self._instances:
                message = f"The instance ID '{instance_id}' does not exist"
                raise AwsError("InvalidInstanceID.NotFound", message)
        return [self._instances[instance_id] for instance_id in instance_ids]


def _refuse_dry_run(request: Request) -> None:
    if request.parameters.get("DryRun") == "true":
        message = "Request would have succeeded, but DryRun flag is set."
        raise AwsError("DryRunOperation", message)


def _matches(instance: Instance, name: str, patterns: list[str]) -> bool:
    if name == "instance-id":
        facts = [instance.instance_id]
    elif name == "instance-state-name":
        facts = [instance.seen.state]
    elif name == "tag-key":
        facts = list(instance.tags)
    elif name.startswith("tag:"):
        key = name.removeprefix("tag:")
        facts = [value for tag, value in instance.tags.items() if tag == key]
    else:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return any(fnmatchcase(fact, pattern) for fact in facts for pattern in patterns)


def _description(instance: Instance) -> dict[str, Tree]:
    seen = instance.seen
    # AWS gives whole seconds; here two boots may begin in one second and must still differ.
    launched = datetime.fromtimestamp(seen.launched_at, tz=UTC).isoformat(timespec="milliseconds")
    description: dict[str, Tree] = {
        "instanceId": instance.instance_id,
        "imageId": "ami-00000000",
        "instanceType": "g4dn.xlarge",
        "instanceState": _state(seen.state),
        "launchTime": launched.replace("+00:00", "Z"),
        "placement": {"availabilityZone": "us-east-1a"},
        "tagSet": [{"key": key, "value": value} for key, value in instance.tags.items()],
    }
    if seen.cause:
        description["stateReason"] = {"code": seen.cause, "message": seen.cause}
    return description


def _health(seen: Snapshot) -> str:
    return "ok" if seen.state is State.RUNNING else "not-applicable"


def _state(state: State) -> Tree:
    return {"code": str(_CODES[state]), "name": state}
