"""Finds and ends the processes of a boot, also those that detached themselves.

A process belongs to a boot when its environment carries the boot's markers, or when it descends
from one that does. A process that both clears its environment and outlives its parents escapes.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCAN_INTERVAL_S = 0.05


async def end(markers: Mapping[str, str], *, grace_s: float) -> None:
    """Ends every process that carries the markers: SIGTERM, after `grace_s` SIGKILL.

    Returns when none is left. Looks again and again, because a process may fork meanwhile.
    """
    clock = asyncio.get_running_loop().time
    kill_at = clock() + grace_s
    asked: set[psutil.Process] = set()
    while left := _alive(_belonging(markers) | asked):
        if clock() >= kill_at:
            _send(left, "kill")
        else:
            _send(left - asked, "terminate")
        asked |= left
        await asyncio.sleep(_SCAN_INTERVAL_S)


def _belonging(markers: Mapping[str, str]) -> set[psutil.Process]:
    found = set()
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if process.pid != os.getpid() and markers.items() <= environment.items():
                found |= {process, *process.children(recursive=True)}
        except (psutil.Error, OSError):
            continue  # it has ended, or it belongs to another user
    return found


def _alive(processes: set[psutil.Process]) -> set[psutil.Process]:
    alive = set()
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process)
        except psutil.NoSuchProcess:
            continue
    return alive


def _send(processes: set[psutil.Process], verb: str) -> None:
    for process in processes:
        try:
            getattr(process, verb)()
        except psutil.NoSuchProcess:
            continue
