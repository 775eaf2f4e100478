from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curation.errors import (
    CurationError,
    OperatorError,
    RequestError,
    SelectionFailed,
    TransientError,
)
from curation.ledger.store import LedgerUnavailable
from pipeline.cli import app, output
from tests.support.cli import start

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate

COMMANDS = [str(command.name) for command in app.registered_commands]
# Part of the interface: people and other programs call them by these names.
PROMISED = {
    *("demo", "sandbox", "run", "list", "status", "cancel", "resume", "report"),
    *("doctor", "leases", "reap", "cost", "logs"),
}
# Seconds of start-up time, or packages that a machine which only enqueues does not have.
HEAVY = {
    *("boto3", "botocore", "requests", "lightly", "lightly_mundig"),
    *("av", "numpy", "onnx", "onnxruntime", "PIL", "sandbox", "psutil", "skvideo"),
}


def test_commands__are_those_promised(curate: Curate) -> None:
    """Every promised command is there, and `curate` alone lists them all."""
    result = curate()

    assert set(COMMANDS) >= PROMISED
    assert all(re.search(rf"^\W*{name}\b", result.output, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help__has_an_example(command: str, curate: Curate) -> None:
    """Every command explains itself, with a line to copy."""
    result = curate(command, "--help")

    assert result.exit_code == 0
    assert f"Example: curate {command}" in result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["status", "20261122-093015-5f0c2d81ab"]])
def test_startup__loads_nothing_heavy(arguments: list[str], ledger: Ledger) -> None:
    """Whoever only asks waits for no SDK, decoder or sandbox to be loaded."""
    assert ledger
    program = (
        "import atexit, sys\n"
        # Missing, because OpenTelemetry, which redis loads, takes it wherever it is installed.
        "sys.modules['psutil'] = None\n"
        "from pipeline.cli import app\n"
        "loaded = lambda: {name.split('.')[0] for name, it in sys.modules.items() if it}\n"
        "atexit.register(lambda: print('loaded:', *loaded()))\n"
        "app(sys.argv[1:])\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )

    loaded = set(result.stdout.partition("loaded:")[2].split())
    assert "pipeline" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LedgerUnavailable("away"), 3),
        (RequestError("no such run", code="request:unknown"), 2),
        (OperatorError("POLL_INTERVAL_S is not usable", code="config:invalid"), 2),
        (OperatorError("EC2 said no", code="ec2:denied"), 1),
        (TransientError("EC2 is busy", code="ec2:throttled"), 1),
        (SelectionFailed("crashed"), 1),
        (CurationError("anything else"), 1),
    ],
)
def test_exit_code__tells_who_can_mend_it(error: CurationError, code: int) -> None:
    """2 is for the caller, 3 for Redis, 1 for everything that failed on the way."""
    assert output.exit_code(error) == code


@pytest.mark.parametrize("arguments", [["nonsense"], ["status"], ["list", "--limit", "0"]])
def test_usage__wrong_is_2(arguments: list[str], curate: Curate) -> None:
    """Wrong usage ends in 2, explained on stderr."""
    result = curate(*arguments)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error" in result.stderr


@pytest.mark.parametrize("command", [["run", "https://example.com/clip.mp4"], ["list"]])
def test_settings__malformed_is_2_and_names_the_variable(command: list[str], valkey: str) -> None:
    """A wrong setting is one paragraph with its name, what was found and what is expected."""
    with start(*command, variables={"REDIS_URL": valkey, "POLL_INTERVAL_S": "often"}) as process:
        stdout, stderr = process.communicate()

    assert (process.returncode, stdout) == (2, "")
    assert stderr.startswith("Error: POLL_INTERVAL_S: 'often' is not usable")
    assert len(stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [["run", "/clip.mp4"], ["list"], ["status", "x"], ["reap"]])
def test_redis__away_is_3(
    command: list[str], curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Redis every command says so in one sentence with its address, not its password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("REDIS_URL", f"redis://:canary@127.0.0.1:{free.getsockname()[1]}/0")

        result = curate(*command, "--json")

    assert result.exit_code == 3
    assert result.stdout == ""
    assert "does not answer" in result.stderr
    assert "canary" not in result.stderr


def test_redis__silent_is_3_and_soon(curate: Curate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that accepts connections and then says nothing counts as away, just as soon."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        began = time.monotonic()

        result = curate("list")

    assert result.exit_code == 3
    assert time.monotonic() - began < 20


def test_bug__shows_its_traceback(ledger: Ledger, curate: Curate) -> None:
    """What nobody expected is not made pretty: whoever gets the report needs it all."""
    ledger.store.set_fields("curation:run:broken", {"run_id": "broken"})

    result = curate("status", "broken")

    assert isinstance(result.exception, KeyError)


@pytest.mark.parametrize(
    ("door", "expected"),
    [
        ("", "curate status calm-amber-otter"),
        ("{here}/my box/enter", "'my box/enter' curate status calm-amber-otter"),
        ("/elsewhere/enter", "/elsewhere/enter curate status calm-amber-otter"),
    ],
)
def test_suggest_all__leads_through_the_door_of_a_sandbox(
    door: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next command can be copied as it is, inside a sandbox and outside."""
    monkeypatch.setenv("SANDBOX_DOOR", door.format(here=Path.cwd()))

    output.suggest_all([("curate status calm-amber-otter", "look")])

    assert capsys.readouterr().err == f"Next:\n  {expected}  look\n"


@pytest.mark.parametrize("command", [["list"], ["logs", "calm-amber-otter"]])
def test_follow__is_not_for_programs(command: list[str], curate: Curate) -> None:
    """A JSON document has an end, so what has none is refused before anything is printed."""
    result = curate(*command, "--follow", "--json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Leave out --json" in result.stderr


@pytest.mark.parametrize("command", [[], ["run"], ["schedule"], ["schedule", "add"]])
def test_help__shows_no_type_behind_a_flag(command: list[str], curate: Curate) -> None:
    """`--wait <bool>` would ask for a value that the flag does not take."""
    result = curate(*command, "--help")

    assert result.exit_code == 0
    assert "--help" in result.stdout
    assert "bool" not in result.stdout
