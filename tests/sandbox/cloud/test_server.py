from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from sandbox.cloud.control import ControlError
from tests.support.cloud import slow

if TYPE_CHECKING:
    from tests.support.cloud import Cloud

FORM = "application/x-www-form-urlencoded"


def ask(cloud: Cloud, path: str, body: str = "", **headers: str) -> tuple[int, str]:
    """Posts a request and returns status and content of the answer."""
    connection = http.client.HTTPConnection(urlsplit(cloud.url).netloc, timeout=10)
    connection.request("POST", path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, content


def test_server__listens_on_loopback_only(booted: Cloud) -> None:
    """No other machine can reach it."""
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(booted.process.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert listening == ["127.0.0.1"]


def test_request__without_signature_is_refused(booted: Cloud) -> None:
    """A form of a web page, which cannot sign, starts and stops nothing."""
    status, content = ask(
        booted, "/", "Action=StopInstances&InstanceId.1=" + booted.instance_id, Content_Type=FORM
    )

    assert (status, "AuthFailure" in content) == (401, True)
    assert booted.state == "running"


def test_hand__wants_json(booted: Cloud) -> None:
    """A form of a web page is no hand either."""
    status, _ = ask(booted, "/sandbox/stop", json.dumps({}), Content_Type=FORM)

    assert status == 415
    assert booted.state == "running"


def test_request__by_another_host_name_is_refused(booted: Cloud) -> None:
    """A web page that points its own name at loopback reaches nothing."""
    status, _ = ask(
        booted, "/sandbox/stop", json.dumps({}), Content_Type="application/json", Host="evil.test"
    )

    assert status == 404
    assert booted.state == "running"


def test_operation__that_is_not_modelled(booted: Cloud) -> None:
    """An unknown operation is an error in each service's own form, and is in the call log."""
    signed = "AWS4-HMAC-SHA256 x"

    ec2 = ask(booted, "/", "Action=TerminateInstances", Content_Type=FORM, Authorization=signed)
    ssm = ask(booted, "/", "{}", X_Amz_Target="AmazonSSM.Reboot", Authorization=signed)

    assert (ec2[0], "<Code>InvalidAction</Code>" in ec2[1]) == (400, True)
    assert (ssm[0], json.loads(ssm[1])["__type"]) == (400, "UnknownOperationException")
    assert [call["operation"] for call in booted.calls()[-2:]] == ["TerminateInstances", "Reboot"]


def test_hand__that_does_not_exist(booted: Cloud) -> None:
    """A misspelt hand is an error."""
    with pytest.raises(ControlError, match="terminate"):
        booted.hand("terminate")


@slow("boot_s")
def test_hand__obeys_the_rules_of_the_state(cloud: Cloud) -> None:
    """A person at the console is refused like a program, and is in the call log."""
    cloud.hand("start")

    with pytest.raises(ControlError, match="not in a state"):
        cloud.hand("stop")

    assert [call["operation"] for call in cloud.calls() if call["service"] == "sandbox"] == [
        "start"
    ]
