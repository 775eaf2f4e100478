"""Which adapter a URI leads to, and what a setting changes in the engine."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from curation.adapters.sources.folder import FolderSource
from curation.adapters.sources.http import HttpSource
from curation.adapters.sources.pexels import PexelsSource
from curation.adapters.sources.s3 import S3Source
from curation.engine_port import VideoOfRun
from curation.errors import OperatorError, RequestError
from curation.selection_config import diverse
from curation.settings import Settings
from curation.wiring import Wiring
from tests.support.media import damage_frames, write_scenes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def wiring(monkeypatch: pytest.MonkeyPatch) -> Wiring:
    """The wiring of a process that has no Pexels key."""
    monkeypatch.delenv("PEXELS_API_KEY", raising=False)
    monkeypatch.setenv("S3_INPUT_BUCKET", "s3://input/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", "s3://lightly/")
    return Wiring(Settings(), send_engine_task=lambda _: None)


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("/videos", FolderSource),
        ("file:///videos/clip.mp4", FolderSource),
        ("https://host/clip.mp4", HttpSource),
        ("s3://bucket/prefix", S3Source),
        ("pexels:popular", PexelsSource),
        ("pexels:search?query=red%20cars", PexelsSource),
    ],
)
def test_video_source__of_each_kind(wiring: Wiring, uri: str, kind: type) -> None:
    """Every kind of source URI has its adapter, and is not reached for before it is asked."""
    assert type(wiring.video_source(uri)) is kind


@pytest.mark.parametrize("uri", ["ftp://host/clip.mp4", "pexels:latest", "pexels:search?query="])
def test_video_source__unknown__is_refused(wiring: Wiring, uri: str) -> None:
    """What is of no known kind is named."""
    with pytest.raises(RequestError, match="video source"):
        wiring.video_source(uri)


def test_video_source__pexels_without_a_key__names_the_setting(wiring: Wiring) -> None:
    """The key is missed when Pexels is to be asked, and not by whoever does not need it."""
    source = wiring.video_source("pexels:popular")

    with pytest.raises(OperatorError, match="PEXELS_API_KEY is not set"):
        next(iter(source.candidates()))


@pytest.mark.parametrize(("share", "is_accepted"), [("0.1", True), ("0.05", False)])
def test_selector__refuses_by_the_share_of_damage_that_is_set(
    *, share: str, is_accepted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A video with 2 damaged frames of 20 is corrupt, or is used, as MAX_DAMAGED_SHARE says."""
    monkeypatch.setenv("MAX_DAMAGED_SHARE", share)
    monkeypatch.setenv("ENGINE_EMBEDDER", "features")
    monkeypatch.setenv("S3_INPUT_BUCKET", "s3://input/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", "s3://lightly/")
    whole = write_scenes(tmp_path / "clip.avi", [20], codec="mpeg4", options={"g": "1"})
    content = damage_frames(whole.read_bytes(), [3, 4])
    video = VideoOfRun(lambda: io.BytesIO(content), "run-1", "s3://input/clip", "", diverse(0.1))
    selector = Wiring(Settings(), send_engine_task=lambda _: None).selector
    written: list[str] = []

    try:
        selector.select(video, write=lambda *it: written.append(it[0]), progress=lambda *_: None)
        code = ""
    except RequestError as error:
        code = error.code

    assert code == ("" if is_accepted else "source:corrupt")
    assert is_accepted == bool(written)
