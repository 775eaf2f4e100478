"""SSM's operations: who is online, and commands that really run."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from sandbox.cloud import documents
from sandbox.cloud.commands import Command
from sandbox.cloud.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sandbox.cloud.instance import Delays, Instance
    from sandbox.cloud.request import Request

    Answer = dict[str, Any]


class Ssm:
    """SSM of one account and region; forgets its commands when the stand-in ends."""

    def __init__(
        self,
        instances: Mapping[str, Instance],
        *,
        delays: Delays,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._instances = instances
        self._delays = delays
        self._folder = folder
        self._environment = environment
        self._commands: dict[str, list[Command]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.operations: dict[str, Callable[[Request], Answer]] = {
            "DescribeInstanceInformation": self._describe,
            "SendCommand": self._send,
            "GetCommandInvocation": self._get_invocation,
            "ListCommandInvocations": self._list_invocations,
            "CancelCommand": self._cancel,
        }

    def act(self, request: Request) -> Answer:
        """Carries out a request and returns the answer.

        Raises:
            AwsError: As SSM would answer.
        """
        act = self.operations.get(request.operation)
        if act is None:
            raise AwsError("UnknownOperationException", f"No operation {request.operation}.")
        return act(request)

    def _describe(self, request: Request) -> Answer:
        filters = {item["Key"]: item["Values"] for item in request.parameters.get("Filters", [])}
        for key in filters:
            if key not in ("InstanceIds", "PingStatus"):
                raise AwsError("InvalidFilterKey", f"The filter key {key} is not modelled.")
        registered = [
            _information(instance)
            for instance in self._instances.values()
            if instance.agent.last_ping is not None
            and instance.instance_id in filters.get("InstanceIds", [instance.instance_id])
            and instance.agent.ping_status
            in filters.get("PingStatus", ["Online", "ConnectionLost"])
        ]
        return {"InstanceInformationList": registered}

    def _send(self, request: Request) -> Answer:
        instances = self._reachable(request.parameters.get("InstanceIds", []))
        command_id = str(uuid.uuid4())
        commands = [self._command(command_id, instance, request) for instance in instances]
        self._commands[command_id] = commands
        loop = asyncio.get_running_loop()
        for command in commands:
            task = command.carry_out(self._environment, deliver_s=self._delays.deliver_s)
            self._tasks.add(loop.create_task(task))
        return {
            "Command": {
                **_summary(commands[0]),
                "InstanceIds": [instance.instance_id for instance in instances],
                "Parameters": commands[0].parameters,
                "Status": "Pending",
            }
        }

    def _command(self, command_id: str, instance: Instance, request: Request) -> Command:
        asked = request.parameters
        parameters = asked.get("Parameters", {})
        # A command that a fault takes away times out by the script of the faults.
        is_lost = not request.is_effective
        deadline_s = request.fault.seconds if is_lost else float(asked.get("TimeoutSeconds", 3600))
        return Command(
            command_id,
            instance,
            document=asked["DocumentName"],
            parameters=parameters,
            script=documents.script(self._folder / "documents", asked["DocumentName"], parameters),
            folder=self._folder / "commands" / command_id / instance.instance_id,
            comment=asked.get("Comment", ""),
            deadline_s=deadline_s,
            is_lost=is_lost,
        )

    def _get_invocation(self, request: Request) -> Answer:
        asked = request.parameters
        found = self._visible(asked["CommandId"], asked["InstanceId"])
        if not found:
            raise AwsError("InvocationDoesNotExist", "")
        command = found[0]
        return {
            **_summary(command),
            "InstanceId": asked["InstanceId"],
            "ResponseCode": command.response_code,
            "StandardOutputContent": command.output("stdout"),
            "StandardErrorContent": command.output("stderr"),
        }

    def _list_invocations(self, request: Request) -> Answer:
        asked = request.parameters
        newest_first = list(reversed(self._commands))
        command_ids = [asked["CommandId"]] if "CommandId" in asked else newest_first
        invocations = [
            {**_summary(command), "InstanceId": command.instance.instance_id}
            for command_id in command_ids
            for command in self._visible(command_id, asked.get("InstanceId"))
        ]
        return {"CommandInvocations": invocations}

    def _cancel(self, request: Request) -> Answer:
        asked = request.parameters
        commands = self._known(asked["CommandId"])
        if not commands:
            raise AwsError("InvalidCommandId", "")
        for command in commands if request.is_effective else []:
            instance_id = command.instance.instance_id
            if instance_id in asked.get("InstanceIds", [instance_id]):
                command.cancel()
        return {}

    def _reachable(self, instance_ids: list[str]) -> list[Instance]:
        reachable = [
            self._instances[instance_id]
            for instance_id in instance_ids
            if instance_id in self._instances and self._instances[instance_id].agent.is_up
        ]
        if not instance_ids or len(reachable) < len(instance_ids):
            # One code for an unknown instance, a stopped one, and one whose agent is not up yet.
            message = f"Instances [{instance_ids}] not in a valid state for account 123456789012"
            raise AwsError("InvalidInstanceId", message)
        return reachable

    def _known(self, command_id: str) -> list[Command]:
        try:
            uuid.UUID(command_id)
        except ValueError:
            raise AwsError("InvalidCommandId", "") from None
        return self._commands.get(command_id, [])

    def _visible(self, command_id: str, instance_id: str | None) -> list[Command]:
        return [
            command
            for command in self._known(command_id)
            if instance_id in (None, command.instance.instance_id)
            and command.age_s >= self._delays.invisible_s
        ]


def _information(instance: Instance) -> Answer:
    return {
        "InstanceId": instance.instance_id,
        "PingStatus": instance.agent.ping_status,
        "LastPingDateTime": instance.agent.last_ping,
        "PlatformType": "Linux",
        "PlatformName": "Ubuntu",
        "ResourceType": "EC2Instance",
    }


def _summary(command: Command) -> Answer:
    return {
        "CommandId": command.command_id,
        "DocumentName": command.document,
        "Comment": command.comment,
        "RequestedDateTime": command.requested_at,
        "Status": command.status,
        "StatusDetails": command.details,
    }
