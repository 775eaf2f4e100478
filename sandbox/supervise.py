"""Keeps processes running until its parent is gone: `python -m sandbox.supervise STATUS_FILE`.

Each line of standard input is one process to start, a `Process` as JSON. Whoever dies is started
again. The end of input, which also comes when the parent is killed, ends them all, the highest
layer first, and whatever they left behind. After a line `null` only SIGTERM does.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.processes import Process

LOOK_S = 0.05
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
# Who ran this long is started again at once, as if it were the first time.
STEADY_S = 10.0
# The exit code that shells give for a program that cannot be started.
NOT_STARTED = 127
# From linux/prctl.h.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None)


def main() -> None:
    """Starts what standard input names and looks after it."""
    parser = argparse.ArgumentParser(prog="sandbox.supervise")
    parser.add_argument("status_file", type=Path)
    parser.add_argument("--remove", type=Path, help="folder to remove at the end")
    options = parser.parse_args()
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    # Orphans of our children become our children, so that we can end them too.
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    supervisor = _Supervisor(options.status_file)
    lines = _Lines()
    detached = False
    while not ended and (detached or not lines.at_end):
        for message in map(json.loads, lines.wait(LOOK_S)):
            detached = message is None
            if message:
                supervisor.start(Process(**message))
        supervisor.look()
    supervisor.stop()
    if options.remove:
        shutil.rmtree(options.remove, ignore_errors=True)


class _Lines:
    """The lines of standard input as they come, without ever waiting for one."""

    def __init__(self) -> None:
        self.at_end = False
        self._rest = b""

    def wait(self, seconds: float) -> list[bytes]:
        """Returns the lines that have come, after at most `seconds`."""
        if self.at_end:
            time.sleep(seconds)
            return []
        if not select.select([0], [], [], seconds)[0]:
            return []
        chunk = os.read(0, 65_536)
        self.at_end = not chunk
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return lines


@dataclass
class _Child:
    """A process and how it fares."""

    process: Process
    running: subprocess.Popen[bytes] | None = None
    exit_code: int | None = None
    starts: int = 0
    delay_s: float = FIRST_DELAY_S
    # On the monotonic clock: its last start, and while it is down its next.
    at: float = 0.0


class _Supervisor:
    """The children in the order of their start."""

    def __init__(self, status_file: Path) -> None:
        self._children: list[_Child] = []
        self._status_file = status_file
        self._report()

    def start(self, process: Process) -> None:
        self._children.append(_Child(process))
        self._spawn(self._children[-1])

    def look(self) -> None:
        """Notices who has died and starts again whose delay is over."""
        _reap(self._children)
        for child in self._children:
            if child.running and child.running.returncode is not None:
                self._bury(child)
            if not child.running and time.monotonic() >= child.at:
                self._spawn(child)

    def stop(self) -> None:
        """Ends all, the highest layer first: whoever uses a server ends before it."""
        for layer in sorted({child.process.layer for child in self._children}, reverse=True):
            self._end([child for child in self._children if child.process.layer == layer])
        # Those that left their group, and orphans.
        while survivors := psutil.Process().children(recursive=True):
            for survivor in survivors:
                with contextlib.suppress(psutil.NoSuchProcess):
                    survivor.kill()
            _reap(self._children)
        self._children.clear()
        self._report()

    def _spawn(self, child: _Child) -> None:
        process = child.process
        child.starts += 1
        child.at = time.monotonic()
        with Path(process.log).open("ab") as log:
            try:
                child.running = subprocess.Popen(  # noqa: S603  # our own parent names the command
                    process.command,
                    cwd=process.folder,
                    env={**os.environ, **process.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=_end_with_us,  # noqa: PLW1509  # we have one thread
                )
            except OSError as error:
                log.write(f"{process.command[0]} could not be started: {error}\n".encode())
                child.exit_code = NOT_STARTED
                self._postpone(child)
        self._report()

    def _bury(self, child: _Child) -> None:
        assert child.running is not None
        _kill_group(child.running.pid)
        child.exit_code = child.running.returncode
        child.running = None
        if time.monotonic() - child.at > STEADY_S:
            child.delay_s = FIRST_DELAY_S
        self._postpone(child)
        self._report()

    def _postpone(self, child: _Child) -> None:
        child.at = time.monotonic() + child.delay_s
        child.delay_s = min(2 * child.delay_s, LONGEST_DELAY_S)

    def _end(self, children: list[_Child]) -> None:
        running = [(child.running, child.process.grace_s) for child in children if child.running]
        for leader, _ in running:
            # To the leader alone: a signal to its pool would break off tasks it is waiting for.
            leader.terminate()
        began = time.monotonic()
        for leader, grace_s in running:
            while leader.returncode is None and time.monotonic() - began < grace_s:
                time.sleep(0.01)
                _reap(self._children)
            _kill_group(leader.pid)

    def _report(self) -> None:
        """Writes the status file in one step, so that a reader never sees half of it."""
        report = {
            child.process.name: {
                "pid": child.running.pid if child.running else None,
                "restarts": max(child.starts - 1, 0),
                "exit_code": child.exit_code,
            }
            for child in self._children
        }
        draft = self._status_file.with_suffix(".draft")
        draft.write_text(json.dumps({"pid": os.getpid(), "processes": report}))
        draft.replace(self._status_file)


def _reap(children: list[_Child]) -> None:
    """Takes note of every process that has ended, adopted ones too."""
    by_pid = {child.running.pid: child.running for child in children if child.running}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if running := by_pid.get(pid):
                running.returncode = os.waitstatus_to_exitcode(status)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _end_with_us() -> None:
    # For the case that somebody kills us with a signal that we cannot catch.
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    # Linux alone has it; elsewhere a second `kill -9` is left to the person who gave the first.
    if sys.platform == "linux":
        _libc.prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
