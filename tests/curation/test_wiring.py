"""Which adapter a URI leads to."""

from __future__ import annotations

import pytest

from curation.adapters.sources.folder import FolderSource
from curation.adapters.sources.http import HttpSource
from curation.adapters.sources.pexels import PexelsSource
from curation.adapters.sources.s3 import S3Source
from curation.errors import OperatorError, RequestError
from curation.settings import Settings
from curation.wiring import Wiring


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
