"""The shell on the instance by SSM: is its agent online, launch the worker, renew the lease."""

from __future__ import annotations

import contextlib
import re
import shlex
from typing import TYPE_CHECKING, Any

import boto3

from curation.adapters.compute.aws import Meaning, Service, brief_config, client_config
from curation.errors import OperatorError, TransientError
from curation.ports import Invocation

if TYPE_CHECKING:
    from botocore.config import Config
    from types_boto3_ssm import SSMClient
    from types_boto3_ssm.type_defs import GetCommandInvocationResultTypeDef

RUN_SHELL_SCRIPT = "AWS-RunShellScript"
# How a renewal of the lease can be told from a launch, in SSM's lists and in logs of its calls.
LEASE_COMMENT = "Lease for the watchdog"

_LOOK_ATTEMPTS = 3
# SendCommand knows no client token: what botocore repeats after a lost answer runs twice. The
# script's own lock makes that harmless; but to send again is the caller's decision, who has
# written down that a launch is under way.
_SEND_ATTEMPTS = 1
# A launch that the agent has not taken by then must not reach a later boot.
_DELIVERY_TIMEOUT_S = 60
# The command itself only detaches the script.
_EXECUTION_TIMEOUT_S = 60
_ENDS = frozenset({"Success", "Cancelled", "TimedOut", "Failed"})
_TAIL_LENGTH = 500
# No line breaks; no `{{`, because SSM would replace what follows.
_SCRIPT_PATH = re.compile(r"/(?!.*\{\{)[^\x00-\x1f\x7f]+")
_OFFLINE = Meaning(
    TransientError,
    "offline",
    "Its SSM agent is not online: not yet, or it is stopped, or in another account or region. It "
    "is tried again.",
)
_DOCUMENT = Meaning(
    OperatorError,
    "document",
    "Check that SSM_DOCUMENT exists in this region and needs no parameter, and that "
    "SSM_LEASE_DOCUMENT exists and takes the one parameter LeaseUntil.",
)
_UNKNOWN_COMMAND = Meaning(OperatorError, "not-found", "SSM does not know this command.")
_MEANINGS = {
    "InvalidCommandId": _UNKNOWN_COMMAND,
    "InvalidDocument": _DOCUMENT,
    "InvalidDocumentVersion": _DOCUMENT,
    "InvalidInstanceId": _OFFLINE,
    "InvalidParameters": _DOCUMENT,
}


class SsmShell:
    """SSM in one region. Endpoint and credentials come from boto3's own variables."""

    def __init__(
        self,
        *,
        region: str | None,
        document: str,
        script_path: str,
        lease_document: str = RUN_SHELL_SCRIPT,
    ) -> None:
        """Describes what is sent.

        Args:
            region: Region of the instance; None: boto3's default.
            document: SSM command document. AWS-RunShellScript gets the command as parameters;
                any other has its command inside and gets none.
            script_path: Absolute path on the instance of the script that is the worker.
            lease_document: The same for `renew_lease`; any other gets the parameter LeaseUntil.

        Raises:
            OperatorError: If `script_path` cannot be put into a command.
        """
        _check_script_path(script_path)

        def connect(config: Config) -> SSMClient:
            return boto3.Session().client("ssm", region_name=region, config=config)

        def service(config: Config) -> Service[SSMClient]:
            return Service(
                "ssm", region=region, meanings=_MEANINGS, connect=lambda: connect(config)
            )

        self._document = document
        self._lease_document = lease_document
        self._script_path = script_path
        self._looks = service(client_config(attempts=_LOOK_ATTEMPTS))
        self._sends = service(client_config(attempts=_SEND_ATTEMPTS))
        self._brief = service(brief_config())

    def is_online(self, instance_id: str, *, since: float) -> bool:
        """Whether the SSM agent is `Online` and has pinged after `since` (the boot's time).

        SSM goes on saying `Online` for minutes after a stop, so the ping must be of this boot.
        """

        def send(ssm: SSMClient) -> bool:
            answer = ssm.describe_instance_information(
                Filters=[{"Key": "InstanceIds", "Values": [instance_id]}]
            )
            return any(
                agent["PingStatus"] == "Online" and agent["LastPingDateTime"].timestamp() >= since
                for agent in answer["InstanceInformationList"]
            )

        return self._looks.call("DescribeInstanceInformation", instance_id, send)

    def launch(self, instance_id: str, *, boot: float) -> str:
        """Sends the launch of the worker's script, detached, and returns the command id.

        The boot is in the command's comment, so that `find_launch` can tell its launches.
        """

        def send(ssm: SSMClient) -> str:
            answer = ssm.send_command(
                InstanceIds=[instance_id],
                DocumentName=self._document,
                Comment=_comment(boot),
                TimeoutSeconds=_DELIVERY_TIMEOUT_S,
                **self._parameters(),
            )
            return answer["Command"]["CommandId"]

        return self._sends.call("SendCommand", instance_id, send)

    def find_launch(self, instance_id: str, *, boot: float) -> str | None:
        """Returns the id of a launch that was sent in this boot, or None."""

        def send(ssm: SSMClient) -> str | None:
            answer = ssm.list_command_invocations(InstanceId=instance_id)
            launches = (
                invocation["CommandId"]
                for invocation in answer["CommandInvocations"]
                if invocation.get("Comment") == _comment(boot)
            )
            return next(launches, None)

        return self._looks.call("ListCommandInvocations", instance_id, send)

    def invocation(self, instance_id: str, command_id: str) -> Invocation | None:
        """Looks at the command; None while SSM does not know it yet."""

        def send(ssm: SSMClient) -> Invocation | None:
            try:
                answer = ssm.get_command_invocation(CommandId=command_id, InstanceId=instance_id)
            except ssm.exceptions.InvocationDoesNotExist:
                return None
            status = answer["Status"]
            return Invocation(
                status=status,
                is_end=status in _ENDS,
                succeeded=status == "Success",
                detail=_detail(answer),
            )

        return self._looks.call("GetCommandInvocation", instance_id, send)

    def cancel(self, instance_id: str, command_id: str) -> None:
        """Cancels the command if it is still going."""

        def send(ssm: SSMClient) -> None:
            # Both mean that there is nothing to cancel: forgotten, or the instance is stopped.
            gone = (ssm.exceptions.InvalidCommandId, ssm.exceptions.InvalidInstanceId)
            with contextlib.suppress(*gone):
                ssm.cancel_command(CommandId=command_id, InstanceIds=[instance_id])

        self._looks.call("CancelCommand", instance_id, send)

    def renew_lease(self, instance_id: str, *, until: int) -> None:
        """Sends the watchdog on the instance the time (epoch seconds) at which its lease is over.

        Does not wait until it is written. Holds nobody up.
        """

        def send(ssm: SSMClient) -> None:
            ssm.send_command(
                InstanceIds=[instance_id],
                DocumentName=self._lease_document,
                Comment=LEASE_COMMENT,
                TimeoutSeconds=_DELIVERY_TIMEOUT_S,
                **self._lease_parameters(until),
            )

        self._brief.call("SendCommand", instance_id, send)

    def _parameters(self) -> dict[str, Any]:
        if self._document != RUN_SHELL_SCRIPT:
            return {}
        return _shell_parameters(_launch_command(self._script_path))

    def _lease_parameters(self, until: int) -> dict[str, Any]:
        if self._lease_document != RUN_SHELL_SCRIPT:
            return {"Parameters": {"LeaseUntil": [str(until)]}}
        return _shell_parameters(_lease_command(until))


def _check_script_path(path: str) -> None:
    if not _SCRIPT_PATH.fullmatch(path):
        message = (
            f"SCRIPT_PATH: {path!r} is not usable. Expected an absolute path on the instance, "
            "without line breaks and without two braces in a row."
        )
        raise OperatorError(message, code="config:script-path")


def _comment(boot: float) -> str:
    return f"Launch of the selection worker, boot {boot:.3f}"


def _shell_parameters(command: str) -> dict[str, Any]:
    timeout = str(_EXECUTION_TIMEOUT_S)
    return {"Parameters": {"commands": [command], "executionTimeout": [timeout]}}


def _lease_command(until: int) -> str:
    """Returns a shell command that writes the lease where deploy/instance/watchdog.sh reads it.

    A new file takes the place of the old one, so that the watchdog never reads half of one.
    """
    return (
        'folder="${CURATION_RUN:-/run/curation}"\n'
        f'mkdir -p "$folder" && printf "%s\\n" {until} >"$folder/lease.$$" &&\n'
        '  mv -f "$folder/lease.$$" "$folder/lease"\n'
    )


def _launch_command(script_path: str) -> str:
    """Returns a shell command that starts the script in a session of its own and returns at once.

    SSM ends a command after its execution time-out, by default an hour, and the worker must
    outlive that. All three streams are redirected, or the agent would wait for them.
    """
    script = shlex.quote(script_path)
    missing = shlex.quote(f"There is no script {script_path} on this instance; set SCRIPT_PATH.")
    return (
        f"[ -f {script} ] || {{ echo {missing} >&2; exit 127; }}\n"
        'log="${TMPDIR:-/var/log}/selection-worker.log"\n'
        'touch "$log" || log=/dev/null\n'
        f'setsid nohup bash {script} </dev/null >>"$log" 2>&1 &\n'
    )


def _detail(answer: GetCommandInvocationResultTypeDef) -> str:
    details = answer.get("StatusDetails") or answer["Status"]
    parts = [f"{details}, exit code {answer.get('ResponseCode', 'unknown')}"]
    for name, text in (
        ("stderr", answer.get("StandardErrorContent", "")),
        ("stdout", answer.get("StandardOutputContent", "")),
    ):
        tail = " ".join(text[-_TAIL_LENGTH:].split())
        parts += [f"{name} ends with: {tail}"] if tail else []
    return "; ".join(parts).rstrip(".") + "."
