"""What the ledger holds against deliveries that die, or come twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.errors import TransientError
from curation.ledger.uploads import UploadLedger
from curation.models import Video
from curation.ports import Part, SourceVideo

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ledger.ledger import Ledger

FIRST = SourceVideo("file:///data/a.mp4", "/data/a.mp4", "a.mp4", 20, "video/mp4", "v1", True)  # noqa: FBT003  # all fields
SECOND = SourceVideo("file:///data/b.mp4", "/data/b.mp4", "b.mp4")
RESULT = Video(uri="s3://in/run-1/a.mp4", size_bytes=20, sha256="00", source_url="/data/a.mp4")


def part(number: int) -> Part:
    """Returns some part of that number."""
    return Part(number, f'"{number}"', 10, f"sha-{number}")


def add(uploads: UploadLedger) -> None:
    """Writes a part of the first upload."""
    uploads.add_part("run-1", "upload-1", part(1))


def close(uploads: UploadLedger) -> None:
    """Writes that all parts of the first upload are up."""
    uploads.close("run-1", "upload-1", n_parts=1)


def finish(uploads: UploadLedger) -> None:
    """Writes the object of the first upload."""
    uploads.finish("run-1", "upload-1", RESULT)


@pytest.fixture
def uploads(ledger: Ledger) -> UploadLedger:
    """The uploads of an empty ledger."""
    return UploadLedger(ledger.store)


def test_choose__first_choice_stays(uploads: UploadLedger) -> None:
    """A run keeps its video, whatever a later delivery comes with."""
    first = uploads.choose("run-1", FIRST, exclusive=True)
    second = uploads.choose("run-1", SECOND, exclusive=True)
    other = uploads.choose("run-2", SECOND, exclusive=True)

    upload = uploads.get("run-1")
    assert (first, second, other) == (True, True, True)
    assert upload is not None
    assert upload.video == FIRST


def test_choose__exclusive__goes_to_one_run(uploads: UploadLedger) -> None:
    """A video of a folder goes to the run that came first, and to no other."""
    first = uploads.choose("run-1", FIRST, exclusive=True)
    second = uploads.choose("run-2", FIRST, exclusive=True)

    assert (first, second) == (True, False)
    assert uploads.get("run-2") is None


def test_choose__not_exclusive__goes_to_all(uploads: UploadLedger) -> None:
    """A link may be named by any number of runs."""
    first = uploads.choose("run-1", FIRST, exclusive=False)
    second = uploads.choose("run-2", FIRST, exclusive=False)

    assert (first, second) == (True, True)


def test_begin__first_upload_holds(uploads: UploadLedger) -> None:
    """Of two deliveries that begin an upload, both go on with the first one's."""
    uploads.choose("run-1", FIRST, exclusive=False)

    assert uploads.begin("run-1", "upload-1") == "upload-1"
    assert uploads.begin("run-1", "upload-2") == "upload-1"


def test_get__knows_the_parts_up_to_the_first_gap(uploads: UploadLedger) -> None:
    """A part behind a gap is uploaded again; when all are up, their number decides."""
    uploads.choose("run-1", FIRST, exclusive=False)
    uploads.place("run-1", RESULT.uri)
    uploads.begin("run-1", "upload-1")
    for number in (1, 2, 4):
        uploads.add_part("run-1", "upload-1", part(number))
    before = uploads.get("run-1")
    uploads.close("run-1", "upload-1", n_parts=1)
    after = uploads.get("run-1")

    assert before is not None
    assert after is not None
    assert (before.uri, before.upload_id) == (RESULT.uri, "upload-1")
    assert (before.parts, before.is_whole) == ([part(1), part(2)], False)
    assert (after.parts, after.is_whole) == ([part(1)], True)


def test_finish__is_for_ever(uploads: UploadLedger) -> None:
    """A finished upload is neither forgotten nor given up, and is no longer to be cleared away."""
    uploads.choose("run-1", FIRST, exclusive=False)
    uploads.begin("run-1", "upload-1")
    open_before = uploads.unfinished()
    uploads.finish("run-1", "upload-1", RESULT)

    assert not uploads.give_up("run-1")
    assert not uploads.restart("run-1", "upload-1", n_parts=None)
    upload = uploads.get("run-1")
    assert upload is not None
    assert upload.result == RESULT
    assert (open_before, uploads.unfinished()) == (["run-1"], [])


@pytest.mark.parametrize("begun_again", ["", "upload-2"])
@pytest.mark.parametrize("write", [add, close, finish])
def test_writes__of_a_given_up_upload_are_refused(
    uploads: UploadLedger, write: Callable[[UploadLedger], None], begun_again: str
) -> None:
    """After an upload was given up, the delivery that still works on it cannot bring it back."""
    uploads.choose("run-1", FIRST, exclusive=False)
    uploads.begin("run-1", "upload-1")
    uploads.give_up("run-1")
    if begun_again:
        uploads.begin("run-1", begun_again)

    with pytest.raises(TransientError, match="given up by another delivery") as caught:
        write(uploads)

    assert caught.value.code == "upload:superseded"
    upload = uploads.get("run-1")
    assert upload is not None
    assert (upload.parts, upload.is_whole, upload.result) == ([], False, None)


def test_restart__only_of_what_was_seen(uploads: UploadLedger) -> None:
    """A delivery that comes late does not forget what another one has done since."""
    uploads.choose("run-1", FIRST, exclusive=False)
    uploads.place("run-1", RESULT.uri)
    uploads.begin("run-1", "upload-1")
    uploads.close("run-1", "upload-1", n_parts=2)

    refused = [
        uploads.restart("run-1", "upload-1", n_parts=None),
        uploads.restart("run-1", "upload-0", n_parts=2),
    ]
    done = uploads.restart("run-1", "upload-1", n_parts=2)

    upload = uploads.get("run-1")
    assert (refused, done) == ([False, False], True)
    assert upload is not None
    assert (upload.video, upload.uri, upload.upload_id) == (FIRST, RESULT.uri, "")


def test_keys__have_a_ttl_only_where_they_may_go(uploads: UploadLedger, ledger: Ledger) -> None:
    """How far an upload has come is garbage one day; who has taken a video is not."""
    uploads.choose("run-1", FIRST, exclusive=True)

    ttls = {
        key.split(":")[1]: ledger.store._redis.ttl(key)
        for key in ledger.store._redis.scan_iter("curation:*")
    }

    assert ttls.pop("upload") > 24 * 3600
    assert ttls == {"taken": -1, "uploads": -1}
