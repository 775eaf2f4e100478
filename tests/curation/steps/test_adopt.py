from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from curation.adapters.sources.folder import FolderSource
from curation.errors import RequestError
from curation.steps.adopt import adopt_video
from tests.support.clips import small_clip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curation.models import Video
    from tests.support.ingest_bench import Bench

CLIP = small_clip(20)


@pytest.fixture
def source(tmp_path: Path) -> FolderSource:
    """A folder with two videos."""
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(CLIP)
    return FolderSource(str(tmp_path), max_bytes=10**8)


def resuming(bench: Bench, video: Video | None, run_id: str = "run-2") -> Bench:
    """Returns the bench of a run that resumes the bench's own."""
    run = replace(bench.of_run(run_id)).run
    return replace(
        bench,
        run=run.model_copy(update={"resumed_from": bench.run.run_id, "video": video}),
    )


def adopts(bench: Bench) -> bool:
    """Whether the bench's run goes on with the video of the one that it resumes."""
    return adopt_video(
        bench.run, objects=bench.objects, ledger=bench.ledger, keep_alive=bench.keep_alive
    )


def delete(bench: Bench, video: Video) -> None:
    """Somebody deletes the object."""
    bench.objects.delete(video.uri)


def cut(bench: Bench, video: Video) -> None:
    """Somebody writes a shorter one in its place."""
    bench.objects.put(video.uri, CLIP[:-1], content_type="video/mp4")


def change(bench: Bench, video: Video) -> None:
    """Somebody writes another one of the same length in its place."""
    bench.objects.put(video.uri, CLIP[:-1] + b"?", content_type="video/mp4")


def test_adopt_video__as_it_was(bench: Bench, source: FolderSource) -> None:
    """What still lies there as it was verified is not ingested again."""
    video = bench.ingest(source)
    resumed = resuming(bench, video)

    assert adopts(resumed)
    assert bench.keys() == ["raw/run-1/a.mp4"]
    assert bench.ledger.unfinished() == []


@pytest.mark.parametrize("harm", [delete, cut, change])
def test_adopt_video__not_as_it_was(
    bench: Bench,
    source: FolderSource,
    harm: Callable[[Bench, Video], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was deleted or changed meanwhile is ingested again, the same video, with a word."""
    video = bench.ingest(source)
    harm(bench, video)
    resumed = resuming(bench, video)

    assert not adopts(resumed)
    again = resumed.ingest(source)

    assert again.source_url == video.source_url
    assert again.sha256 == video.sha256
    assert bench.content(again) == CLIP
    assert "ingested again" in caplog.text


def test_adopt_video__of_a_resumed_run(bench: Bench, source: FolderSource) -> None:
    """A run that resumes a resumed one still knows which video it is about."""
    video = bench.ingest(source)
    second = resuming(bench, video)
    assert adopts(second)
    delete(bench, video)
    third = resuming(second, video, "run-3")

    assert not adopts(third)
    assert third.ingest(source).source_url == video.source_url


def test_adopt_video__again_after_its_own(
    bench: Bench, source: FolderSource, caplog: pytest.LogCaptureFixture
) -> None:
    """A second delivery of the ingest that was done again takes the run's own video for its own."""
    video = bench.ingest(source)
    delete(bench, video)
    resumed = resuming(bench, video)
    own = resumed.ingest(source)
    resumed = replace(resumed, run=resumed.run.model_copy(update={"video": own}))

    with caplog.at_level(logging.WARNING):
        assert not adopts(resumed)
    assert resumed.ingest(source) == own
    assert caplog.text == ""


def test_video_again__of_a_run_that_had_not_ingested_it(bench: Bench, source: FolderSource) -> None:
    """A run that failed half-way leaves its video of a folder to the run that resumes it."""
    for video in source.candidates():
        bench.ledger.choose(bench.run.run_id, video, exclusive=True)
        break
    resumed = resuming(bench, None)

    assert resumed.ingest(source).source_url.endswith("/a.mp4")
    assert bench.of_run("run-3").ingest(source).source_url.endswith("/b.mp4")


def test_video_again__gone_from_its_folder(
    bench: Bench, source: FolderSource, tmp_path: Path
) -> None:
    """Another video of the folder does not take the place of one that is gone."""
    video = bench.ingest(source)
    delete(bench, video)
    (tmp_path / "a.mp4").unlink()

    with pytest.raises(RequestError, match=r"run-1, .*a\.mp4, is not there any more") as caught:
        resuming(bench, video).ingest(source)

    assert caught.value.code == "source:gone"
