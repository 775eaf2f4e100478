"""A video's way into the bucket."""

from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from curation.adapters.sources.folder import FolderSource
from curation.adapters.sources.http import HttpFiles, HttpSource
from curation.errors import RequestError, RunEnded
from curation.ledger.steps import TAKEN_OVER
from curation.models import Video
from tests.support.clips import clip_of, small_clip
from tests.support.file_server import FileServer, ServedFile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.ingest_bench import Bench

MIB = 1024 * 1024
# Three parts, the last one short.
CLIP = clip_of(16 * MIB + 12_345)


def write(path: Path, content: bytes = CLIP) -> FolderSource:
    """Writes a file, and returns it as a source."""
    path.write_bytes(content)
    return FolderSource(str(path), max_bytes=100 * MIB)


def serve(server: FileServer, file: ServedFile, path: str = "/my%20clip.mp4") -> HttpSource:
    """Serves a file, and returns its link as a source."""
    files = HttpFiles(max_bytes=100 * MIB, allowed_hosts=[server.host], read_timeout_s=1.0)
    return HttpSource(server.put(path, file), files)


def test_ingest__of_a_file(bench: Bench, tmp_path: Path) -> None:
    """The object in the run's own folder has the file's bytes, type and checksum."""
    source = write(tmp_path / "my clip.mp4")

    video = bench.ingest(source)

    uri = f"s3://{bench.bucket}/raw/run-1/my_clip.mp4"
    assert video == Video(
        uri=uri,
        size_bytes=len(CLIP),
        sha256=hashlib.sha256(CLIP).hexdigest(),
        source_url=str(tmp_path / "my clip.mp4"),
    )
    info = bench.objects.head(uri)
    assert info is not None
    assert info.content_type == "video/mp4"
    assert bench.content(video) == CLIP
    assert bench.open_uploads() == []
    assert bench.ledger.unfinished() == []


@pytest.mark.parametrize(
    "file",
    [
        ServedFile(CLIP),
        ServedFile(CLIP, has_ranges=False),
        ServedFile(CLIP, has_ranges=False, has_length=False),
        ServedFile(CLIP, cuts=[9 * MIB]),
        ServedFile(CLIP, headers={"Content-Type": "application/octet-stream"}),
    ],
)
def test_ingest__of_a_link(bench: Bench, server: FileServer, file: ServedFile) -> None:
    """Hosts with and without ranges or lengths, and one that cuts once, give the same object."""
    source = serve(server, file)

    video = bench.ingest(source)

    assert bench.content(video) == CLIP
    assert video.sha256 == hashlib.sha256(CLIP).hexdigest()
    assert video.source_url == f"http://{server.host}/my%20clip.mp4"
    assert video.uri.endswith("/run-1/my_clip.mp4")


def test_ingest__in_slices(bench: Bench, server: FileServer) -> None:
    """A delivery without time left does one part; the next one goes on with a range request."""
    source = serve(server, ServedFile(CLIP))
    hurried = replace(bench, budget=lambda: False)

    slices = [hurried.deliver(source) for _ in range(3)]
    video = hurried.deliver(source)

    assert slices == [None, None, None]
    assert video is not None
    assert bench.content(video) == CLIP
    assert server.ranges() == ["bytes=0-0", None, f"bytes={8 * MIB}-", f"bytes={16 * MIB}-"]


def test_ingest__after_the_end__answers_the_same(bench: Bench, tmp_path: Path) -> None:
    """A delivery that comes late answers what is there, without asking the source."""
    source = write(tmp_path / "clip.mp4", small_clip())
    first = bench.ingest(source)
    (tmp_path / "clip.mp4").unlink()

    assert bench.ingest(source) == first
    assert bench.keys() == ["raw/run-1/clip.mp4"]


def test_ingest__name_without_an_ending__gets_that_of_its_content(
    bench: Bench, server: FileServer
) -> None:
    """A link that ends in no file name gives an object that is known as a video all the same."""
    source = serve(server, ServedFile(small_clip()), path="/download/17")

    video = bench.ingest(source)

    assert video.uri.endswith("/run-1/17.mp4")


def test_ingest__secrets_of_a_link__stay_out_of_the_record(
    bench: Bench, server: FileServer
) -> None:
    """The record of a video shows where it came from, without the signature."""
    serve(server, ServedFile(small_clip()))
    url = f"http://me:c4n4ry@{server.host}/my%20clip.mp4?Expires=1&Signature=c4n4ry"
    source = HttpSource(url, HttpFiles(max_bytes=100 * MIB, allowed_hosts=[server.host]))

    video = bench.ingest(source)

    assert "c4n4ry" not in video.model_dump_json()
    assert video.source_url.startswith(f"http://{server.host}/my%20clip.mp4")


def test_ingest__of_a_folder__each_run_takes_the_next(bench: Bench, tmp_path: Path) -> None:
    """Runs take a folder's videos by name, each once, however the folder is written."""
    for name in ("b.mp4", "a.mp4", "c.txt"):
        write(tmp_path / name, small_clip())
    by_path = FolderSource(str(tmp_path), max_bytes=MIB)
    by_link = FolderSource(f"{tmp_path.as_uri()}/", max_bytes=MIB)

    first = bench.ingest(by_path)
    second = bench.of_run("run-2").ingest(by_link)
    with pytest.raises(RequestError, match="has been taken") as caught:
        bench.of_run("run-3").ingest(by_path)

    assert first.uri.endswith("run-1/a.mp4")
    assert second.uri.endswith("run-2/b.mp4")
    assert caught.value.code == "source:exhausted"


def test_ingest__of_a_file_of_a_folder__is_not_exclusive(bench: Bench, tmp_path: Path) -> None:
    """Whoever names a file gets it, taken or not."""
    source = write(tmp_path / "a.mp4", small_clip())
    bench.ingest(FolderSource(str(tmp_path), max_bytes=MIB))

    video = bench.of_run("run-2").ingest(source)

    assert video.uri.endswith("run-2/a.mp4")


def test_ingest__holds_two_parts_in_memory(bench: Bench, tmp_path: Path) -> None:
    """Memory does not grow with the video."""
    source = write(tmp_path / "clip.mp4", clip_of(40 * MIB))

    tracemalloc.start()
    bench.ingest(source)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 20 * MIB


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
def test_ingest__run_ended_meanwhile__leaves_nothing(
    bench: Bench, tmp_path: Path, calls: int
) -> None:
    """A run that is canceled while its video is on the way has nothing in the bucket."""
    source = write(tmp_path / "clip.mp4")
    left = [None] * (calls - 1)

    def keep_alive() -> None:
        if not left:
            raise RunEnded("canceled")
        left.pop()

    with pytest.raises(RunEnded):
        replace(bench, keep_alive=keep_alive).ingest(source)

    assert bench.is_clean()


def test_ingest__taken_over__leaves_all_to_the_other(bench: Bench, tmp_path: Path) -> None:
    """A delivery that is no longer the one that works on the step removes nothing."""
    source = write(tmp_path / "clip.mp4")

    def keep_alive() -> None:
        raise RunEnded("another delivery", TAKEN_OVER)

    with pytest.raises(RunEnded):
        replace(bench, keep_alive=keep_alive).ingest(source)
    upload = bench.ledger.get("run-1")
    video = bench.ingest(source)

    assert upload is not None
    assert len(upload.parts) == 1
    assert bench.content(video) == CLIP


def test_ingest__claim__is_renewed_with_every_part(bench: Bench, tmp_path: Path) -> None:
    """The claim on the step is renewed at least once a part, and once before the end."""
    source = write(tmp_path / "clip.mp4")
    renewals: list[None] = []

    replace(bench, keep_alive=lambda: renewals.append(None)).ingest(source)

    assert len(renewals) >= 4
