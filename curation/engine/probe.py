"""Tells whether bytes are a video that the engine can decode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.engine.containers import sniff
from curation.engine.decode import open_video
from curation.engine.opening import undecodable

if TYPE_CHECKING:
    from typing import BinaryIO


class AvProbe:
    """The VideoProbe over the engine's own decoder: what it accepts, the engine can select from."""

    def check_head(self, head: bytes, *, name: str) -> str:
        """Returns the MIME type that the first bytes (4 KiB or all) prove."""
        return sniff(head, name=name).mime

    def check(self, video: BinaryIO, *, name: str) -> None:
        """Decodes the first frame."""
        with open_video(video, name=name) as opened:
            if next(opened.frames(), None) is None:
                raise undecodable(name, "not one frame comes out")
