from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from curation.adapters.compute.ssm import SsmShell
from curation.errors import CurationError, OperatorError, TransientError
from tests.support.cloud import INSTANCE_ID, REGION
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curation.ports import Invocation
    from tests.support.cloud import Cloud

COMMAND_ID = str(uuid.UUID(int=1))
CALLS: dict[str, Callable[[SsmShell], object]] = {
    "DescribeInstanceInformation": lambda shell: shell.is_online(INSTANCE_ID, since=0.0),
    "SendCommand": lambda shell: shell.launch(INSTANCE_ID, boot=1.0),
    "ListCommandInvocations": lambda shell: shell.find_launch(INSTANCE_ID, boot=1.0),
    "GetCommandInvocation": lambda shell: shell.invocation(INSTANCE_ID, COMMAND_ID),
    "CancelCommand": lambda shell: shell.cancel(INSTANCE_ID, COMMAND_ID),
}


@pytest.fixture(scope="module")
def shell() -> SsmShell:
    """The adapter, whose clients are built once for all these tests."""
    return shell_for("/home/ubuntu/run.sh")


def shell_for(script_path: str, *, document: str = "AWS-RunShellScript") -> SsmShell:
    """Returns an adapter that launches a script."""
    return SsmShell(region=REGION, document=document, script_path=script_path)


@pytest.mark.parametrize(
    ("code", "error", "ours", "words"),
    [
        ("ThrottlingException", TransientError, "ssm:throttled", "tried again"),
        ("InvalidInstanceId", TransientError, "ssm:offline", "SSM agent"),
        ("InternalServerError", TransientError, "ssm:internal", "AWS's side"),
        ("AccessDeniedException", OperatorError, "ssm:denied", "Grant ssm:SendCommand"),
        ("UnrecognizedClientException", OperatorError, "ssm:denied", "ssm:SendCommand"),
        ("InvalidDocument", OperatorError, "ssm:document", "SSM_DOCUMENT"),
        ("InvalidParameters", OperatorError, "ssm:document", "SSM_DOCUMENT"),
        ("UnsupportedPlatformType", OperatorError, "ssm:refused", "AWS's manual"),
    ],
)
def test_launch__reads_each_refusal(
    code: str,
    error: type[CurationError],
    ours: str,
    words: str,
    shell: SsmShell,
    running: Cloud,
) -> None:
    """Each refusal says who can mend it, which call it was, and what to do."""
    running.add_faults({"operation": "SendCommand", "code": code})

    with pytest.raises(error) as refused:
        shell.launch(INSTANCE_ID, boot=1.0)

    assert type(refused.value) is error
    assert refused.value.code == ours
    what = f"SSM SendCommand for {INSTANCE_ID} in {REGION} failed ({code}). "
    assert refused.value.message.startswith(what)
    assert words in refused.value.message


@pytest.mark.parametrize("operation", CALLS)
def test_denied__names_the_permission(operation: str, shell: SsmShell, running: Cloud) -> None:
    """A person learns which permission to grant, whichever it is."""
    running.add_faults({"operation": operation, "code": "AccessDeniedException"})

    with pytest.raises(OperatorError, match=f"Grant ssm:{operation} "):
        CALLS[operation](shell)


@pytest.mark.parametrize(("kind", "acted"), [("cut-before", False), ("cut-after", True)])
def test_launch__is_sent_once(kind: str, *, acted: bool, shell: SsmShell, running: Cloud) -> None:
    """SendCommand knows no client token: after a lost answer the caller decides, not botocore."""
    n_sent = len(running.calls("SendCommand"))
    running.add_faults({"operation": "SendCommand", "kind": kind})

    with pytest.raises(TransientError) as lost:
        shell.launch(INSTANCE_ID, boot=1.0)

    assert lost.value.code == "ssm:unreachable"
    assert [call["acted"] for call in running.calls("SendCommand")[n_sent:]] == [acted]


def test_launch__with_the_public_document_sends_the_script(shell: SsmShell, running: Cloud) -> None:
    """The command starts the script with bash, and gives up before it could reach a later boot."""
    shell.launch(INSTANCE_ID, boot=1_795_340_211.25)

    sent = running.calls("SendCommand")[-1]["parameters"]

    (command,) = sent["Parameters"]["commands"]
    assert "bash /home/ubuntu/run.sh " in command
    assert sent["TimeoutSeconds"] == 60
    assert sent["Comment"] == "Launch of the selection worker, boot 1795340211.250"


def test_launch__with_a_document_of_ones_own_sends_no_text(running: Cloud) -> None:
    """Whoever has the pipeline's credentials can run what the document says, and nothing else."""
    shell = shell_for("/home/ubuntu/run.sh", document="curation-start")

    with pytest.raises(OperatorError):
        shell.launch(INSTANCE_ID, boot=1.0)  # the stand-in has no such document

    sent = running.calls("SendCommand")[-1]["parameters"]
    assert sent["DocumentName"] == "curation-start"
    assert "Parameters" not in sent


def test_launch__quotes_the_path(running: Cloud, tmp_path: Path) -> None:
    """A path is one word to the shell, whatever it contains."""
    assert running
    script = tmp_path / 'a b; it\'s $(exit) & `exit` | \\ "ä" * #.sh'
    script.write_text(f"touch '{tmp_path}/ran'\n")

    shell_for(str(script)).launch(INSTANCE_ID, boot=1.0)

    wait_until((tmp_path / "ran").exists)


@pytest.mark.parametrize("path", ["", "run.sh", "/run.sh\nreboot", "/{{ssm:token}}", "/run\0.sh"])
def test_shell__refuses_a_path_that_is_none(path: str) -> None:
    """A relative path, a second line and what SSM would replace are refused by name."""
    with pytest.raises(OperatorError, match="SCRIPT_PATH") as refused:
        shell_for(path)

    assert refused.value.code == "config:script-path"


def test_invocation__shows_the_tail_of_a_long_output(running: Cloud, tmp_path: Path) -> None:
    """Of each output the last 500 characters are shown, where the reason usually is."""
    assert running
    shell = shell_for(str(tmp_path / "x" / ("/".join(["folder"] * 100))))
    command_id = shell.launch(INSTANCE_ID, boot=1.0)

    def ask() -> Invocation | None:
        found = shell.invocation(INSTANCE_ID, command_id)
        return found if found and found.is_end else None

    head, _, tail = wait_until(ask).detail.partition("stderr ends with: ")
    assert head == "Failed, exit code 127; "
    assert tail.endswith(" on this instance; set SCRIPT_PATH.")
    assert 490 <= len(tail) <= 500
