"""Wherever a delivery dies, loses an answer or gets a twin, there is one effect and no leftover."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from curation.adapters.sources.folder import FolderSource
from curation.adapters.sources.http import HttpFiles, HttpSource
from curation.errors import OperatorError, RequestError, TransientError
from tests.support.clips import clip_of
from tests.support.file_server import FileServer, ServedFile
from tests.support.ingest_bench import Killed

if TYPE_CHECKING:
    from pathlib import Path

    from curation.models import Video
    from curation.ports import VideoSource
    from tests.support.ingest_bench import Bench

MIB = 1024 * 1024
# Two parts.
CLIP = clip_of(8 * MIB + 10_000)

# Everything that a delivery does to the world, in this order.
ACTS = [
    ("ledger", "choose"),
    ("ledger", "place"),
    ("uploads", "begin"),
    ("ledger", "begin"),
    ("uploads", "put_part"),
    ("ledger", "add_part"),
    ("ledger", "close"),
    ("uploads", "complete"),
    ("objects", "read"),
    ("objects", "open"),
    ("uploads", "unfinished"),
    ("ledger", "finish"),
]
# Those that speak to the bucket.
SENT = [act for act in ACTS if act[0] != "ledger"]
# Those between which a source that always begins anew makes a difference.
MIDDLE = [
    ("uploads", "begin"),
    ("uploads", "put_part"),
    ("ledger", "add_part"),
    ("ledger", "close"),
]


@pytest.fixture
def folder(tmp_path: Path) -> VideoSource:
    """A source that can be taken up in the middle and gives each video to one run."""
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(CLIP)
    return FolderSource(str(tmp_path), max_bytes=100 * MIB)


@pytest.fixture
def link(server: FileServer) -> VideoSource:
    """A source that begins from the first byte every time."""
    url = server.put("/a.mp4", ServedFile(CLIP, has_ranges=False))
    return HttpSource(url, HttpFiles(max_bytes=100 * MIB, allowed_hosts=[server.host]))


def die() -> None:
    """Ends the process."""
    raise Killed


def lose_the_answer() -> None:
    """Has acted, but nobody learns of it."""
    raise TransientError("the answer was lost")


def check(bench: Bench, video: Video) -> None:
    """Checks that the one effect is there and nothing else."""
    assert bench.content(video) == CLIP
    assert bench.keys() == ["raw/run-1/a.mp4"]
    assert bench.open_uploads() == []
    assert bench.ledger.unfinished() == []


@pytest.mark.parametrize(("port", "method"), ACTS)
def test_killed__is_taken_up_again(
    bench: Bench, folder: VideoSource, port: str, method: str
) -> None:
    """A process that dies right after any act loses nothing and leaves nothing."""
    with pytest.raises(Killed):
        bench.interrupted(port, method, die).ingest(folder)

    check(bench, bench.ingest(folder))


@pytest.mark.parametrize(("port", "method"), MIDDLE)
def test_killed__begins_anew_without_ranges(
    bench: Bench, link: VideoSource, port: str, method: str
) -> None:
    """A source that cannot be taken up in the middle is read again from its first byte."""
    with pytest.raises(Killed):
        bench.interrupted(port, method, die).ingest(link)

    check(bench, bench.ingest(link))


@pytest.mark.parametrize(("port", "method"), SENT)
def test_lost_answer__is_tried_again(
    bench: Bench, folder: VideoSource, port: str, method: str
) -> None:
    """An act whose answer is lost is done again without a second effect."""
    with pytest.raises(TransientError):
        bench.interrupted(port, method, lose_the_answer).ingest(folder)

    check(bench, bench.ingest(folder))


@pytest.mark.parametrize(("port", "method"), ACTS)
def test_killed_for_good__leaves_nothing_after_clearing(
    bench: Bench, folder: VideoSource, port: str, method: str
) -> None:
    """When no delivery comes any more, clearing removes whatever the dead one left."""
    with pytest.raises(Killed):
        bench.interrupted(port, method, die).ingest(folder)

    bench.clear()
    bench.clear()

    finished = (port, method) == ("ledger", "finish")
    assert bench.is_clean() == (not finished)
    assert bench.keys() == (["raw/run-1/a.mp4"] if finished else [])


@pytest.mark.parametrize(
    ("name", "port", "method"),
    [("folder", *act) for act in ACTS] + [("link", *act) for act in MIDDLE],
)
def test_twin__that_overtakes__changes_nothing(
    bench: Bench, request: pytest.FixtureRequest, name: str, port: str, method: str
) -> None:
    """A copy of the delivery that does all the work in between leaves one effect."""
    source: VideoSource = request.getfixturevalue(name)
    twins: list[Video] = []
    hit = bench.interrupted(port, method, lambda: twins.append(bench.ingest(source)))

    video = ingest_with_retries(hit, source)

    assert [video] == twins
    check(bench, video)


def test_twin__that_was_done_before_the_source_went_bad(
    bench: Bench, folder: VideoSource, tmp_path: Path
) -> None:
    """What one copy has finished is the answer of the other one too, whatever that one meets."""
    twins: list[Video] = []

    def overtake() -> None:
        twins.append(bench.ingest(folder))
        (tmp_path / "a.mp4").write_bytes(b"something else")

    video = bench.interrupted("ledger", "add_part", overtake).ingest(folder)

    assert [video] == twins
    check(bench, video)


@pytest.mark.parametrize(("port", "method"), [*SENT, *MIDDLE[2:]])
def test_twin__that_gives_up__leaves_no_half_of_it(
    bench: Bench, folder: VideoSource, port: str, method: str
) -> None:
    """When a copy clears everything away in between, the run has a whole object or none."""
    hit = bench.interrupted(port, method, bench.clear)

    try:
        video = ingest_with_retries(hit, folder)
    except RequestError:  # the object went away while it was being read
        assert bench.is_clean()
    else:
        check(bench, video)


def test_twins__at_the_same_time(bench: Bench, folder: VideoSource) -> None:
    """Two deliveries at work at once, each in slices, end in one object."""
    hurried = replace(bench, budget=lambda: False)
    with ThreadPoolExecutor(max_workers=2) as threads:
        found = list(threads.map(lambda _: ingest_with_retries(hurried, folder), range(2)))

    assert found[0] == found[1]
    check(bench, found[0])


def test_damaged_object__is_uploaded_again(bench: Bench, folder: VideoSource) -> None:
    """An object whose bytes are not those that were sent is replaced."""
    uri = f"s3://{bench.bucket}/raw/run-1/a.mp4"
    harmed = CLIP[: 5 * MIB] + b"\0" + CLIP[5 * MIB + 1 :]

    def harm() -> None:
        bench.objects.put(uri, harmed, content_type="video/mp4")

    with pytest.raises(TransientError, match="not what") as caught:
        bench.interrupted("uploads", "complete", harm).ingest(folder)

    assert caught.value.code == "upload:damaged"
    assert bench.keys() == []
    check(bench, bench.ingest(folder))


@pytest.mark.parametrize("harmed", [CLIP + b"\0", CLIP[:-1], CLIP[: 8 * MIB]])
def test_object_of_another_length__is_uploaded_again(
    bench: Bench, folder: VideoSource, harmed: bytes
) -> None:
    """Bytes that are missing or too many are noticed."""
    uri = f"s3://{bench.bucket}/raw/run-1/a.mp4"

    def harm() -> None:
        bench.objects.put(uri, harmed, content_type="video/mp4")

    with pytest.raises(TransientError, match="not what"):
        bench.interrupted("uploads", "complete", harm).ingest(folder)

    check(bench, bench.ingest(folder))


def test_object_with_a_part_too_many__is_uploaded_again(bench: Bench, tmp_path: Path) -> None:
    """Bytes behind a last part that is full are noticed too."""
    content = clip_of(8 * MIB)
    (tmp_path / "a.mp4").write_bytes(content)
    source = FolderSource(str(tmp_path / "a.mp4"), max_bytes=100 * MIB)
    uri = f"s3://{bench.bucket}/raw/run-1/a.mp4"

    def harm() -> None:
        bench.objects.put(uri, content + b"more", content_type="video/mp4")

    with pytest.raises(TransientError, match="not what"):
        bench.interrupted("uploads", "complete", harm).ingest(source)

    assert bench.content(bench.ingest(source)) == content


def test_upload_aborted_from_outside__begins_anew(bench: Bench, folder: VideoSource) -> None:
    """A lifecycle rule or a person may abort a slow upload; the next delivery begins again."""
    with pytest.raises(Killed):
        bench.interrupted("ledger", "add_part", die).ingest(folder)
    upload = bench.ledger.get("run-1")
    assert upload is not None
    bench.uploads.abort(upload.uri, upload.upload_id)

    check(bench, ingest_with_retries(bench, folder))


@pytest.mark.parametrize("error", [TransientError("S3 is away"), OperatorError("denied")])
def test_clearing_that_fails__does_not_hide_the_reason(
    bench: Bench, server: FileServer, error: TransientError | OperatorError
) -> None:
    """The run fails with the fault of its video, and the reaper finds what is left to clear."""
    endless = ServedFile(CLIP, has_ranges=False, has_length=False, is_endless=True)
    url = server.put("/a.mp4", endless)
    source = HttpSource(url, HttpFiles(max_bytes=9 * MIB, allowed_hosts=[server.host]))

    def fail() -> None:
        raise error

    with pytest.raises(RequestError, match="MAX_VIDEO_BYTES"):
        bench.interrupted("uploads", "unfinished", fail).ingest(source)

    assert bench.ledger.unfinished() == ["run-1"]
    bench.clear()
    assert bench.is_clean()


def ingest_with_retries(bench: Bench, source: VideoSource) -> Video:
    """Delivers until the video is there, again after errors that pass."""
    for _ in range(10):
        try:
            return bench.ingest(source)
        except TransientError:
            continue
    raise AssertionError("the ingest comes to no end")
