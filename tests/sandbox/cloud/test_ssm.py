from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import INSTANCE_ID, slow
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from types_boto3_ssm import SSMClient
    from types_boto3_ssm.type_defs import (
        GetCommandInvocationResultTypeDef,
        InstanceInformationTypeDef,
    )

    from tests.support.cloud import Cloud

ENDS = {"Success", "Failed", "TimedOut", "Cancelled"}


def send(ssm: SSMClient, *lines: str, **options: list[str]) -> str:
    """Sends shell lines and returns the command id."""
    answer = ssm.send_command(
        InstanceIds=[INSTANCE_ID],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": list(lines), **options},
    )
    return answer["Command"]["CommandId"]


def look(ssm: SSMClient, command_id: str) -> GetCommandInvocationResultTypeDef | None:
    """Returns the invocation, or None while SSM does not know it."""
    try:
        return ssm.get_command_invocation(CommandId=command_id, InstanceId=INSTANCE_ID)
    except ssm.exceptions.InvocationDoesNotExist:
        return None


def reach(ssm: SSMClient, command_id: str, statuses: set[str]) -> GetCommandInvocationResultTypeDef:
    """Returns the invocation when it has one of the statuses."""

    def ask() -> GetCommandInvocationResultTypeDef | None:
        invocation = look(ssm, command_id)
        return invocation if invocation and invocation["Status"] in statuses else None

    return wait_until(ask)


def agent(ssm: SSMClient, status: str | None = None) -> InstanceInformationTypeDef | None:
    """Returns what SSM says about the instance's agent, if it says that status."""
    filters: list[Any] = [{"Key": "InstanceIds", "Values": [INSTANCE_ID]}]
    if status:
        filters.append({"Key": "PingStatus", "Values": [status]})
    found = ssm.describe_instance_information(Filters=filters)["InstanceInformationList"]
    return found[0] if found else None


def test_agent__pings(ssm: SSMClient, cloud: Cloud) -> None:
    """An instance is unknown to SSM until its agent has registered; then its pings move on."""
    before = agent(ssm)
    cloud.boot()

    first = wait_until(lambda: agent(ssm))

    assert before is None
    assert first["PingStatus"] == "Online"
    ping = first["LastPingDateTime"]
    wait_until(lambda: (now := agent(ssm)) and now["LastPingDateTime"] > ping)


def test_agent__seems_online_after_a_stop(ssm: SSMClient, cloud: Cloud) -> None:
    """SSM goes on saying `Online`, with a ping of before the stop."""
    cloud.boot()
    cloud.hand("stop")
    cloud.wait_for("stopped")

    stale = agent(ssm, "Online")

    assert stale
    assert agent(ssm) == stale


@pytest.mark.parametrize("cloud", [{"lost_s": 0.2}], indirect=True)
def test_agent__is_lost_in_the_end(ssm: SSMClient, cloud: Cloud) -> None:
    """When no ping has come for a while SSM says `ConnectionLost`."""
    cloud.boot()
    cloud.hand("stop")

    assert wait_until(lambda: agent(ssm, "ConnectionLost"))


@slow("agent_s")
def test_send_command__needs_the_agent(ssm: SSMClient, cloud: Cloud) -> None:
    """One code for all: the instance is stopped, or it runs and its agent is not online yet."""
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        send(ssm, "true")
    cloud.hand("start")
    cloud.wait_for("running")

    with pytest.raises(ClientError, match="InvalidInstanceId"):
        send(ssm, "true")

    assert agent(ssm) is None


def test_send_command__to_an_agent_that_dropped_out(ssm: SSMClient, cloud: Cloud) -> None:
    """An agent can go and come back while its instance runs."""
    cloud.boot()
    cloud.hand("agent-off")
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        send(ssm, "true")

    cloud.hand("agent-on")

    wait_until(lambda: cloud.instances()[INSTANCE_ID]["agent_is_up"])
    assert reach(ssm, send(ssm, "true"), ENDS)["Status"] == "Success"


@pytest.mark.parametrize(
    ("line", "status", "code"), [("true", "Success", 0), ("exit 3", "Failed", 3)]
)
def test_command__really_runs(line: str, status: str, code: int, booted_ssm: SSMClient) -> None:
    """Both outputs and the exit code are the process's own."""
    command_id = send(booted_ssm, "echo out", "echo err >&2", line)

    invocation = reach(booted_ssm, command_id, ENDS)

    assert (invocation["Status"], invocation["ResponseCode"]) == (status, code)
    assert invocation["StandardOutputContent"] == "out\n"
    assert invocation["StandardErrorContent"] == "err\n"


@slow("invisible_s")
def test_command__is_unknown_for_a_moment(ssm: SSMClient, cloud: Cloud) -> None:
    """Right after SendCommand its invocation does not exist."""
    cloud.boot()
    command_id = send(ssm, "true")

    with pytest.raises(ClientError, match="InvocationDoesNotExist"):
        ssm.get_command_invocation(CommandId=command_id, InstanceId=INSTANCE_ID)

    assert ssm.list_command_invocations()["CommandInvocations"] == []


def test_command__has_code_minus_one_while_it_runs(booted_ssm: SSMClient) -> None:
    """A running command shows no exit code; to cancel it ends it."""
    command_id = send(booted_ssm, "sleep 60")
    running = reach(booted_ssm, command_id, {"InProgress"})

    booted_ssm.cancel_command(CommandId=command_id)

    assert running["ResponseCode"] == -1
    assert reach(booted_ssm, command_id, ENDS)["Status"] == "Cancelled"


def test_command__that_is_over_cannot_be_canceled(booted_ssm: SSMClient) -> None:
    """A late cancel changes nothing."""
    command_id = send(booted_ssm, "true")
    reach(booted_ssm, command_id, ENDS)

    booted_ssm.cancel_command(CommandId=command_id)

    assert reach(booted_ssm, command_id, ENDS)["Status"] == "Success"


def test_command__ends_at_its_execution_timeout(booted_ssm: SSMClient, tmp_path: Path) -> None:
    """The time-out ends the script itself; what has detached itself goes on."""
    detached = tmp_path / "detached"
    late = f"setsid sh -c 'sleep 1.5; touch {detached}' >/dev/null 2>&1 &"
    command_id = send(booted_ssm, late, "sleep 60", executionTimeout=["1"])

    invocation = reach(booted_ssm, command_id, ENDS)

    assert (invocation["Status"], invocation["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")
    wait_until(detached.exists)


def test_command__does_not_wait_for_what_detached(booted_ssm: SSMClient) -> None:
    """A command ends with its script, whatever the script has left running."""
    command_id = send(booted_ssm, "sleep 60 &")

    assert reach(booted_ssm, command_id, ENDS)["Status"] == "Success"


def test_list_command_invocations__shows_all_or_one(booted_ssm: SSMClient) -> None:
    """Sent commands can be found again, the newest first."""
    first, second = send(booted_ssm, "true"), send(booted_ssm, "true")
    reach(booted_ssm, second, ENDS)

    everything = booted_ssm.list_command_invocations(InstanceId=INSTANCE_ID)["CommandInvocations"]
    one = booted_ssm.list_command_invocations(CommandId=first)["CommandInvocations"]

    assert [item["CommandId"] for item in everything[:2]] == [second, first]
    assert [item["CommandId"] for item in one] == [first]


@pytest.mark.parametrize(
    ("command_id", "code"),
    [(str(uuid.UUID(int=1)), "InvocationDoesNotExist"), ("x" * 36, "InvalidCommandId")],
)
def test_get_command_invocation__of_no_command(
    command_id: str, code: str, booted_ssm: SSMClient
) -> None:
    """An id that was never given out, and one that cannot be an id."""
    with pytest.raises(ClientError, match=code):
        booted_ssm.get_command_invocation(CommandId=command_id, InstanceId=INSTANCE_ID)


@pytest.mark.parametrize(
    ("document", "parameters", "code"),
    [
        ("No-Such-Document", {}, "InvalidDocument"),
        ("../documents/Lease", {"LeaseUntil": ["1795340211"]}, "InvalidDocument"),
        ("AWS-RunShellScript", {}, "InvalidParameters"),
        ("AWS-RunShellScript", {"commands": ["true"], "command": ["x"]}, "InvalidParameters"),
        ("AWS-RunShellScript", {"commands": [""], "executionTimeout": ["1h"]}, "InvalidParameters"),
        ("Lease", {"LeaseUntil": ["$(reboot)"]}, "InvalidParameters"),
    ],
)
def test_send_command__refuses_what_no_document_takes(
    document: str, parameters: dict[str, list[str]], code: str, booted_ssm: SSMClient
) -> None:
    """Unknown documents, missing and unknown parameters, and values against their pattern."""
    with pytest.raises(ClientError, match=code):
        booted_ssm.send_command(
            InstanceIds=[INSTANCE_ID], DocumentName=document, Parameters=parameters
        )


def test_send_command__runs_a_document_of_ones_own(booted_ssm: SSMClient) -> None:
    """A document in the data folder brings its own script; parameters fill its gaps."""
    answer = booted_ssm.send_command(
        InstanceIds=[INSTANCE_ID],
        DocumentName="Lease",
        Parameters={"LeaseUntil": ["1795340211"]},
    )

    invocation = reach(booted_ssm, answer["Command"]["CommandId"], ENDS)
    assert invocation["StandardOutputContent"] == "until 1795340211\n"


@pytest.mark.parametrize("cloud", [{"deliver_s": 1.0}], indirect=True)
def test_command__waits_for_an_agent_that_dropped_out(ssm: SSMClient, cloud: Cloud) -> None:
    """A command that cannot be delivered is `Delayed`, and runs when the agent is back."""
    cloud.boot()
    command_id = send(ssm, "true")
    cloud.hand("agent-off")
    reach(ssm, command_id, {"Delayed"})

    cloud.hand("agent-on")

    assert reach(ssm, command_id, ENDS)["Status"] == "Success"


def test_command__without_effect_times_out_in_delivery(
    booted_ssm: SSMClient, booted: Cloud
) -> None:
    """A command that is lost on its way ends `DeliveryTimedOut`."""
    booted.add_faults({"operation": "SendCommand", "kind": "no-effect", "seconds": 0.2})

    invocation = reach(booted_ssm, send(booted_ssm, "true"), ENDS)

    assert invocation["StatusDetails"] == "DeliveryTimedOut"
    assert invocation["Status"] == "TimedOut"
