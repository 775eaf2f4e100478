"""EC2 and SSM in virtual time, on the sandbox's own wire formats."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, cast

from sandbox.cloud import wire as ec2_wire
from sandbox.cloud.ec2 import Ec2
from sandbox.cloud.errors import AwsError
from sandbox.cloud.faults import Fault
from sandbox.cloud.request import Request
from tests.chaos.clock import CLOCK
from tests.chaos.instance import Command, Instance
from tests.chaos.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.cloud.instance import Instance as SandboxInstance
    from tests.chaos.wire import Ask

_ONLINE_S = 600.0


class Account:
    """The account of one trial."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        known = cast("Mapping[str, SandboxInstance]", {instance.instance_id: instance})
        self._ec2 = Ec2(known)
        self._commands: dict[str, Command] = {}
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "DescribeInstanceInformation": self._describe,
            "SendCommand": self._send,
            "GetCommandInvocation": self._get,
            "ListCommandInvocations": self._list,
            "CancelCommand": lambda _: {},
        }

    def answer(self, ask: Ask) -> Answer:
        """Does what is asked of either service."""
        try:
            if ask.service == "ssm":
                return _json(self._operations[ask.operation](json.loads(ask.body)))
            fields = ec2_wire.parse_form(ask.body.decode())
            fields.pop("Action"), fields.pop("Version", None)
            request = Request("ec2", ask.operation, fields, Fault(ask.operation, kind="pass"))
            tree = {"requestId": str(uuid.uuid4()), **self._ec2.act(request)}
            return _xml(200, ec2_wire.to_xml(f"{ask.operation}Response", tree), "ok")
        except AwsError as error:
            return refusal(ask, error.code, error.message)

    def _describe(self, _: dict[str, Any]) -> dict[str, Any]:
        ping = self.instance.last_ping
        if ping is None:
            return {"InstanceInformationList": []}
        online = "Online" if CLOCK.now - ping < _ONLINE_S else "ConnectionLost"
        information = {
            "InstanceId": self.instance.instance_id,
            "PingStatus": online,
            "LastPingDateTime": ping,
        }
        return {"InstanceInformationList": [information]}

    def _send(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self.instance.is_online:
            raise AwsError("InvalidInstanceId", "Instances not in a valid state for account")
        parameters = asked.get("Parameters", {})
        text = "\n".join(line for lines in parameters.values() for line in lines)
        command = Command(
            str(uuid.uuid4()),
            CLOCK.now,
            asked.get("Comment", ""),
            text,
            parameters,
            asked["DocumentName"],
        )
        self._commands[command.command_id] = command
        CLOCK.after(self.instance.dice.uniform(0.5, 4.0), lambda: self._deliver(command))
        return {"Command": _summary(command)}

    def _deliver(self, command: Command) -> None:
        if self.instance.is_online:
            self.instance.carry_out(command)
            command.status = "Success"
        else:
            command.status = "TimedOut"

    def _get(self, asked: dict[str, Any]) -> dict[str, Any]:
        command = self._commands.get(asked["CommandId"])
        if command is None or CLOCK.now - command.sent_at < 1.0:
            raise AwsError("InvocationDoesNotExist", "")
        return {**_summary(command), "ResponseCode": 0 if command.status == "Success" else -1}

    def _list(self, _: dict[str, Any]) -> dict[str, Any]:
        newest_first = reversed(self._commands.values())
        return {
            "CommandInvocations": [
                _summary(command) for command in newest_first if CLOCK.now - command.sent_at >= 1.0
            ]
        }


def status(code: str) -> int:
    """Returns the HTTP status of an error code, as far as AWS's services agree."""
    return {"AccessDenied": 403, "SlowDown": 503}.get(code, AwsError(code, "").status)


def refusal(ask: Ask, code: str, message: str) -> Answer:
    """Returns EC2's or SSM's way to refuse."""
    if ask.service == "ssm":
        tree = {"__type": code, "message": message}
        return _json(tree, status=status(code), code=code)
    errors: dict[str, ec2_wire.Tree] = {
        "Errors": {"Error": {"Code": code, "Message": message}},
        "RequestID": str(uuid.uuid4()),
    }
    return _xml(status(code), ec2_wire.to_xml("Response", errors), code)


def _summary(command: Command) -> dict[str, Any]:
    return {
        "CommandId": command.command_id,
        "InstanceId": Instance.instance_id,
        "DocumentName": command.document,
        "Comment": command.comment,
        "Parameters": command.parameters,
        "RequestedDateTime": command.sent_at,
        "Status": command.status,
        "StatusDetails": command.status,
    }


def _json(tree: dict[str, Any], *, status: int = 200, code: str = "ok") -> Answer:
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    return Answer(status, json.dumps(tree).encode(), headers, code)


def _xml(status: int, body: bytes, code: str) -> Answer:
    return Answer(status, body, {"Content-Type": "text/xml;charset=UTF-8"}, code)
