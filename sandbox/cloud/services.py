"""What an instance starts by itself at each boot, before anybody can reach it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Services:
    """A script in the place of an instance's own system, the same for all instances.

    Attributes:
        script: It is started at each boot and ends with the boot; None for nothing.
        environment: What it finds, besides what the instance adds.
        run: Folder with what /run is on each real instance: empty after each start.
        log: File that its outputs are appended to.
    """

    script: Path | None
    environment: Mapping[str, str]
    run: Path
    log: Path

    async def start(self, environment: Mapping[str, str]) -> None:
        """Starts the script of one boot."""
        if self.script is None:
            return
        with self.log.open("ab") as log:
            await asyncio.create_subprocess_exec(
                "bash",
                str(self.script),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.environment, **environment},
                start_new_session=True,
            )
