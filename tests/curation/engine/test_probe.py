"""The probe accepts what the engine can decode, and nothing else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from curation.engine.probe import AvProbe
from curation.errors import RequestError
from tests.support.media import shipped_clip, write_scenes

if TYPE_CHECKING:
    from pathlib import Path

    from curation.ports import VideoProbe


@pytest.fixture
def probe() -> VideoProbe:
    """The probe under test, as its port."""
    return AvProbe()


@pytest.mark.parametrize("name", ["bikes.mp4", "bigbuckbunny.mp4", "carphone_distorted.mp4"])
def test_check__accepts_real_video(name: str, probe: VideoProbe) -> None:
    """Real clips pass, and their content type is told by their first bytes."""
    content = shipped_clip(name).read_bytes()

    probe.check(io.BytesIO(content), name=name)

    assert probe.check_head(content[:4096], name=name) == "video/mp4"


def test_check_head__refuses_what_is_no_video(probe: VideoProbe) -> None:
    """An error page is refused by its first bytes."""
    with pytest.raises(RequestError) as caught:
        probe.check_head(b"<html><body>Not found</body></html>", name="clip.mp4")

    assert caught.value.code == "source:no-video"


def test_check__refuses_a_container_without_a_frame(tmp_path: Path, probe: VideoProbe) -> None:
    """A file whose index is whole but whose frames are gone has nothing to select from."""
    content = bytearray(write_scenes(tmp_path / "clip.mp4", [10]).read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:end] = bytes(end - start)

    with pytest.raises(RequestError) as caught:
        probe.check(io.BytesIO(content), name="clip.mp4")

    assert caught.value.code == "source:undecodable"
    assert "'clip.mp4' cannot be decoded: not one frame comes out." in caught.value.message
