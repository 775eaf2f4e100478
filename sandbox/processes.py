"""Processes under supervision: how one is described, and the handle on their supervisor."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HOST = "127.0.0.1"
# Below the ports from which systems take those of clients (32768 and up on Linux). A client that
# keeps calling a port of its own kind while the server restarts can end up connected to itself,
# and then the server never gets its port back.
SERVER_PORTS = range(15_000, 32_768)
N_LOG_LINES = 20
LOOK_S = 0.05


class SandboxError(RuntimeError):
    """Something that should run does not; the message says what, and what it said last."""


@dataclass(frozen=True)
class Process:
    """A process to keep running.

    Attributes:
        name: Its name in logs and reports.
        command: The program and its arguments.
        folder: Its working directory.
        log: File to which its output is appended.
        environment: Variables it has on top of those of all processes.
        layer: What it stands on has a lower one, and ends after it.
        grace_s: Seconds that it has to end by itself before it is killed.
    """

    name: str
    command: list[str]
    folder: str
    log: str
    environment: dict[str, str] = field(default_factory=dict)
    layer: int = 0
    grace_s: float = 5.0


@dataclass(frozen=True)
class Status:
    """How a process fares.

    Attributes:
        pid: Its process id, or None while it is down.
        restarts: How often it was started again.
        exit_code: How it ended last (negative: the signal), or None if it never did.
    """

    pid: int | None
    restarts: int
    exit_code: int | None


class Supervisor:
    """The handle on the supervisor process of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._status_file = folder / "processes.json"
        self._log = folder / "supervisor.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str], *, remove: Path | None = None) -> None:
        """Starts the supervisor, which ends with this process, however that comes.

        Args:
            environment: All variables of the supervisor and its processes.
            remove: Folder that the supervisor removes at its end.

        Raises:
            SandboxError: If another supervisor runs on this folder.
        """
        options = ["--remove", str(remove)] if remove else []
        with self._lock() as lock, self._log.open("ab") as log:
            self._status_file.unlink(missing_ok=True)
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-m", "sandbox.supervise", str(self._status_file), *options],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C is for us; the supervisor then ends the processes in their order.
                start_new_session=True,
                # The lock lives as long as the supervisor, even if we are killed.
                pass_fds=[lock],
            )

    def add(self, process: Process) -> None:
        """Starts a process and keeps it running."""
        self._send(asdict(process))

    def check(self) -> None:
        """Raises SandboxError if the supervisor has ended without being told to."""
        if self._process is None or self._process.poll() is not None:
            raise SandboxError(self._obituary())

    def running(self) -> bool:
        """Tells whether a supervisor runs on this folder, whoever started it."""
        try:
            with self._lock():
                return False
        except SandboxError:
            return True

    def processes(self) -> dict[str, Status]:
        """Returns how each process fares, by name, in the order of their start."""
        try:
            report = json.loads(self._status_file.read_text())
        except FileNotFoundError:
            return {}
        return {name: Status(**status) for name, status in report["processes"].items()}

    def leave(self) -> None:
        """Lets the supervisor go on when this process ends, until somebody calls `stop`."""
        self._send(None)
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        # Nobody waits for it any more.
        self._process.returncode = 0
        self._process = None

    def stop(self) -> None:
        """Ends all processes, the highest layer first, and returns when they are gone."""
        if self._process is not None:
            self._process.communicate()
            return
        while self.running():
            # A supervisor that has just started may not have written its status yet.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(json.loads(self._status_file.read_text())["pid"], signal.SIGTERM)
            time.sleep(LOOK_S)

    def _send(self, message: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SandboxError(self._obituary()) from None

    @contextlib.contextmanager
    def _lock(self) -> Iterator[int]:
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"{self._folder} is in use by another process. Stop that one first."
                raise SandboxError(message) from None
            yield lock.fileno()

    def _obituary(self) -> str:
        return f"The supervisor has ended ({self._log}):\n{tail(self._log)}"


def free_port() -> int:
    """Returns a port on which a server can listen, and which nobody else gets from here."""
    for port in random.SystemRandom().sample(SERVER_PORTS, k=100):
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe, contextlib.suppress(OSError):
            # A server that starts slowly does not listen yet when another one's port is looked for,
            # here or in a process beside this one. A name of Linux's abstract namespace goes when
            # this process does, and no file is left.
            claim.bind(f"\0curation-port-{port}")
            probe.bind((HOST, port))
            claim.detach()
            return port
        claim.close()
    message = f"100 ports of {HOST} were tried and all are taken."
    raise SandboxError(message)


def program(name: str, *, package: str) -> str:
    """Returns the path of a program that an installed package brings."""
    try:
        files = distribution(package).files or []
        return os.path.normpath(next(file for file in files if file.name == name).locate())
    except (PackageNotFoundError, StopIteration):
        message = f"The program {name!r} of the package {package!r} is missing. Run: make setup"
        raise SandboxError(message) from None


def tail(log: Path) -> str:
    """Returns the last lines of a log file."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    return "\n".join(lines[-N_LOG_LINES:]) or "(nothing in its log)"
