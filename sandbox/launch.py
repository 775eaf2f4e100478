"""Starts processes side by side and waits until each does its work."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.processes import Process, SandboxError, Supervisor, tail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Far more than the few seconds that it takes on 2 cores, because others may be at work there.
START_LIMIT_S = 90.0
LOOK_S = 0.05


@dataclass(frozen=True)
class Part:
    """A process, and the question that tells whether it is ready."""

    process: Process
    is_ready: Callable[[], bool]


def launch(supervisor: Supervisor, parts: Sequence[Part]) -> None:
    """Starts processes at the same time and returns when all are ready.

    Raises:
        SandboxError: If one of them ends or is not ready in time; with the end of its log.
    """
    for part in parts:
        supervisor.add(part.process)
    pending, until = list(parts), time.monotonic() + START_LIMIT_S
    while pending:
        time.sleep(LOOK_S)
        supervisor.check()
        statuses = supervisor.processes()
        for part in parts:
            status = statuses.get(part.process.name)
            if status and status.exit_code is not None:
                raise _failure(part.process, f"ended with exit code {status.exit_code}")
        pending = [part for part in pending if not part.is_ready()]
        if pending and time.monotonic() > until:
            raise _failure(pending[0].process, f"was not ready within {START_LIMIT_S:g} s")


def _failure(process: Process, event: str) -> SandboxError:
    end_of_log = tail(Path(process.log))
    return SandboxError(f"{process.name} {event}. The end of {process.log}:\n{end_of_log}")
