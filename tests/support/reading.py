"""Reads videos to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.adapters.sources.http import HttpFiles
    from curation.ports import SourceVideo, VideoSource


def fetch(source: VideoSource | HttpFiles, video: SourceVideo, *, offset: int = 0) -> bytes:
    """Returns the video's bytes from `offset`."""
    with source.open(video, offset=offset) as chunks:
        return b"".join(chunks)
