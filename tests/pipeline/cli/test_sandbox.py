from __future__ import annotations

import json
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox.processes import Supervisor
from tests.support.cli import FOREIGN, start

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO


def test_sandbox__says_what_runs_where_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    """It names all processes, three links and the next command, and leaves none of them behind."""
    with start("sandbox", "--data", str(tmp_path / "data"), variables=FOREIGN) as process:
        assert process.stdout
        assert process.stderr
        notes = read_until(process.stderr, "Ctrl-C ends")
        answer = subprocess.run(
            [tmp_path / "data" / "enter", "curate", "list", "--json"],
            capture_output=True,
            check=True,
        )
        process.send_signal(signal.SIGINT)
        shown = process.stdout.read()
        process.wait()

    assert json.loads(answer.stdout) == {"schema": 1, "items": []}
    assert process.returncode == 130
    assert re.findall(r"process \d+", shown)
    assert {"Pages", "Flower", "Results", "Logs"} <= set(
        re.findall(r"^  (\w+) +\w+://", shown, re.MULTILINE)
    )
    assert re.search(r"enter curate run \S+bikes\.mp4 --wait", notes)
    assert not Supervisor(tmp_path / "data").running()


def test_sandbox__in_a_folder_of_something_else_is_1(tmp_path: Path) -> None:
    """A folder with other files in it is left alone, and the reason is one sentence."""
    (tmp_path / "thesis.txt").touch()

    with start("sandbox", "--data", str(tmp_path)) as process:
        stdout, stderr = process.communicate()

    assert (process.returncode, stdout) == (1, "")
    assert "has other files in it" in stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize("command", ["sandbox", "demo"])
def test_sandbox__in_a_folder_that_cannot_be_is_2(command: str) -> None:
    """A place where nothing can be written is one sentence with the path and the reason."""
    with start(command, "--data", "/proc/sandbox") as process:
        stdout, stderr = process.communicate()

    assert (process.returncode, stdout) == (2, "")
    assert "Error: /proc/sandbox cannot be used (No such file or directory)." in stderr
    assert "Traceback" not in stderr


def read_until(stream: IO[str], text: str) -> str:
    """Returns what a process says up to the line that has the text, or up to its end."""
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            break
    return "".join(lines)
