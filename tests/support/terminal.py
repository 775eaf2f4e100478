"""The command line in a terminal of its own, so that it can ask and be answered."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CTRL_C = "\x03"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_LINES = 40


class Terminal:
    """A terminal with a program in it.

    Args:
        process: The program.
        descriptor: Our end of the terminal.
    """

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self._process = process
        self._descriptor = descriptor
        self.raw = ""

    @property
    def text(self) -> str:
        """All that was shown so far, without colours and movements."""
        return _ESCAPES.sub("", self.raw)

    def read_until(self, text: str) -> None:
        """Reads until this was shown, after what was read before; fails at the program's end."""
        begin = len(self.text)
        while text not in self.text[begin:]:
            assert self._read(), f"{text!r} was never shown, but: {self.text}"

    def type(self, keys: str) -> None:
        """Types on the keyboard."""
        os.write(self._descriptor, keys.encode())

    def send(self, number: int) -> None:
        """Sends the program a signal."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Reads all that is still shown, and returns the exit code."""
        while self._read():
            pass
        return self._process.wait()

    def _read(self) -> bool:
        try:
            shown = os.read(self._descriptor, 65536)
        except OSError:  # Linux says so at the end
            return False
        self.raw += shown.decode()
        return bool(shown)


@contextmanager
def terminal(
    *arguments: str, variables: Mapping[str, str], columns: int = 80
) -> Iterator[Terminal]:
    """Runs `curate` in a terminal.

    Args:
        arguments: Its arguments.
        variables: What its environment has on top of ours.
        columns: Width of the terminal.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHON_DOTENV_DISABLED": "1", "TERM": "xterm-256color", **variables},
        cwd=Path.cwd(),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


# The terminal must be the program's own, or its Ctrl-C reaches nobody.
_PROGRAM = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from pipeline.cli import app
app()
"""
