from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from curation.errors import OperatorError
from curation.states import Outcome, StepState
from curation.steps.orphans import reap_orphans
from tests.support.requests import new_run

if TYPE_CHECKING:
    import pytest

    from curation.adapters.storage.s3 import S3Storage
    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock
    from tests.support.ingest_bench import Bench, Interrupted

MARK_S = 10.0
LOST = "20261122-093015-5f0c2d81ab"


class Refusing:
    """The bucket, which refuses to abort one object's uploads."""

    def __init__(self, storage: S3Storage | Interrupted, refused_uri: str) -> None:
        self._abort = storage.abort
        self._refused_uri = refused_uri
        self.open_under = storage.open_under

    def abort(self, uri: str, upload_id: str) -> None:
        """Aborts it, or not."""
        if uri == self._refused_uri:
            raise OperatorError(f"{uri} was refused.", code="aws:s3:denied")
        self._abort(uri, upload_id)


def reap(bench: Bench, ledger: Ledger, storage: object = None) -> list[str]:
    """One round over the bucket."""
    return reap_orphans(
        f"s3://{bench.bucket}/in/",
        ledger=bench.ledger,
        runs=ledger.runs,
        uploads=storage or bench.uploads,  # type: ignore[arg-type]  # what a round needs of it
        mark_s=MARK_S,
    )


def begin(bench: Bench, run_id: str) -> str:
    """An open upload of a run; returns its object."""
    uri = f"s3://{bench.bucket}/in/{run_id}/clip.mp4"
    bench.uploads.begin(uri, content_type="video/mp4")
    return uri


def test_reap_orphans__aborts_what_is_left_over_in_two_phases(
    bench: Bench, ledger: Ledger, clock: Clock
) -> None:
    """Uploads of an unknown and of an ended run are marked, and aborted in a later round."""
    ended = new_run(ledger)
    ledger.runs.decide(ended, Outcome.FAILED)
    ledger.runs.end(ledger.runs.get(ended), released=StepState.SKIPPED)
    left_over = [begin(bench, run_id) for run_id in (LOST, ended)]

    marked = reap(bench, ledger)
    clock.forward(MARK_S - 1)
    too_early = reap(bench, ledger)
    clock.forward(1)
    done = reap(bench, ledger)

    assert (marked, too_early) == ([], [])
    assert sorted(done) == sorted([f"aborted {LOST}", f"aborted {ended}"])
    assert [bench.uploads.unfinished(uri) for uri in left_over] == [[], []]


def test_reap_orphans__leaves_what_somebody_works_on(
    bench: Bench, ledger: Ledger, clock: Clock
) -> None:
    """A live run's upload, others' uploads in the bucket and whole objects are left alone."""
    kept = [begin(bench, new_run(ledger)), begin(bench, "somebody-else")]
    whole = f"s3://{bench.bucket}/in/{LOST}/clip.mp4"
    bench.objects.put(whole, b"a video", content_type="video/mp4")

    for _ in range(3):
        assert reap(bench, ledger) == []
        clock.forward(MARK_S)

    assert all(bench.uploads.unfinished(uri) for uri in kept)
    assert bench.objects.head(whole)


def test_reap_orphans__one_error_does_not_stop_the_others(
    bench: Bench, ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """An upload that cannot be aborted is one warning and is tried again in the next round."""
    refused = begin(bench, LOST)
    other_id = LOST.replace("5f", "6f")
    other = begin(bench, other_id)
    reap(bench, ledger)
    clock.forward(MARK_S)

    with caplog.at_level(logging.WARNING):
        done = reap(bench, ledger, Refusing(bench.uploads, refused))

    assert done == [f"aborted {other_id}"]
    assert bench.uploads.unfinished(other) == []
    assert "Upload could not be aborted" in caplog.text
    assert reap(bench, ledger) == [f"aborted {LOST}"]


def test_reap_orphans__forgets_marks_that_are_settled(
    bench: Bench, ledger: Ledger, clock: Clock
) -> None:
    """A mark lives as long as its upload is left over, and no longer."""
    begin(bench, LOST)
    reap(bench, ledger)
    clock.forward(MARK_S)
    reap(bench, ledger)

    reap(bench, ledger)

    assert ledger.store.hash_of("curation:orphans") == {}
