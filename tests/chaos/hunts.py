"""The mutants by name, and the cells that must find each; `mutants.py` has what each switches off.

Apart from those, because whoever only starts processes needs no virtual clock.
"""

from __future__ import annotations

from tests.chaos.cells import Cell

HUNTS: dict[str, tuple[str, ...]] = {
    "errback": ("poll:F15", "schedule:F15", "send:F15"),
    "outcome check before start": ("start:F6", "wait-ssm:F6"),
    "outcome check after start": ("start:F3",),
    "reaper": ("enqueue:F1", "enqueue:F4", "start:F3"),
    "watchdog": ("poll:F20",),
    "idempotency key": ("enqueue:F6",),
    "fencing of deliveries": ("start:F6", "upload:F6", "poll:F6", "stop:F6"),
    "two-phase mark": ("poll:F17",),
    "end state": ("poll:F16", "stop:F16"),
    "multipart clean-up": ("upload:F1", "upload:F9", "upload:F16"),
    "countdown check": ("poll:F7", "schedule:F7"),
    "redaction": ("schedule:F11", "poll:F11"),
    "stop that only sends DryRun": ("stop:F1",),
    "failure reported as success": ("poll:F15",),
    "leases looked at before a stop": ("poll:F19", "stop:F19"),
    "search before a second schedule": ("schedule:F9",),
    "start error told": ("start:F11",),
    "adoption by a resumed run": ("poll:F11",),
}


def hunt(name: str, seeds: int) -> list[tuple[Cell, int]]:
    """Returns the trials that must find a mutant."""
    found = [Cell(*cell.split(":")) for cell in HUNTS[name]]
    return [(cell, seed) for seed in range(seeds) for cell in found]
