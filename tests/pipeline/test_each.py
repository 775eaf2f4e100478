from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.models import RunRequest
from curation.schedules import Each, Schedule
from curation.states import Outcome
from pipeline.client import resume
from pipeline.each import look, n_open
from tests.support.cli import end

if TYPE_CHECKING:
    from pathlib import Path

    from types_boto3_s3 import S3Client

    from curation.ledger.ledger import Ledger


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three videos that nobody has written to for long."""
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"video")
    return tmp_path


def test_look__takes_a_file_that_looks_as_it_did_before(ledger: Ledger, folder: Path) -> None:
    """A file that is still being written is left alone until it has stayed the same."""
    save(ledger, folder, at_once=9)
    look("inbox")
    (folder / "b.mp4").write_bytes(b"more of the video")
    pass_time(ledger)

    look("inbox")

    assert sources(ledger) == [(folder / "a.mp4").as_uri(), (folder / "c.mp4").as_uri()]
    assert ledger.schedules.state("inbox").waiting == 1


def test_look__makes_each_video_s_run_once_and_a_few_at_once(ledger: Ledger, folder: Path) -> None:
    """At most so many runs are open; when one ends the next begins; none is made twice."""
    save(ledger, folder, at_once=2)
    seen(ledger)
    look("inbox")
    look("inbox")
    first = sources(ledger)

    end(ledger, ledger.runs.active()[0].run_id, Outcome.FAILED)
    look("inbox")
    for run in ledger.runs.active():
        end(ledger, run.run_id, Outcome.COMPLETED)
    look("inbox")

    assert len(first) == 2
    assert sources(ledger) == [(folder / name).as_uri() for name in ("a.mp4", "b.mp4", "c.mp4")]
    assert n_open("inbox") == 0


def test_look__leaves_what_another_run_has_taken(ledger: Ledger, folder: Path) -> None:
    """A video that a run of the folder took is skipped, and one that a watch took is taken."""
    ledger.schedules.take((folder / "a.mp4").as_uri(), "20261122-093015-5f0c2d81ab")
    save(ledger, folder, at_once=9)
    seen(ledger)

    look("inbox")

    assert sources(ledger) == [(folder / "b.mp4").as_uri(), (folder / "c.mp4").as_uri()]
    assert not ledger.schedules.take((folder / "b.mp4").as_uri(), "another")
    assert ledger.schedules.state("inbox").skipped == 1


def test_look__died_between_taking_and_writing_goes_on(ledger: Ledger, folder: Path) -> None:
    """A look that died after it took a video, or after it made its run, leaves nothing undone."""
    save(ledger, folder, at_once=9)
    seen(ledger)
    look("inbox")
    made = sources(ledger)

    for url in ledger.schedules.videos("inbox"):
        ledger.store.drop_fields("curation:schedule-videos:inbox", url)
    look("inbox")

    assert sources(ledger) == made
    assert len(ledger.schedules.videos("inbox")) == 3


def test_look__of_a_prefix_takes_what_is_there_at_once(
    ledger: Ledger, s3_client: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object appears as a whole, so each new one gets its run at the first look."""
    for name in ("S3_INPUT_BUCKET", "S3_LIGHTLY_BUCKET"):
        monkeypatch.setenv(name, f"s3://{bucket}/{name}/")
    for key in ("in/a.mp4", "in/deep/b.mp4", "in/notes.txt", "out/c.mp4"):
        s3_client.put_object(Bucket=bucket, Key=key, Body=b"video")
    each = Each(at_once=9)
    request = RunRequest(source=f"s3://{bucket}/in/")
    ledger.schedules.save(Schedule(name="inbox", request=request, each=each))

    look("inbox")
    s3_client.put_object(Bucket=bucket, Key="in/new.mp4", Body=b"video")
    look("inbox")

    names = ("a.mp4", "deep/b.mp4", "new.mp4")
    assert sources(ledger) == [f"s3://{bucket}/in/{name}" for name in names]


def test_look__an_empty_folder_is_no_problem_for_a_watch(ledger: Ledger, tmp_path: Path) -> None:
    """A watch waits for the first video; a backfill without one says so and is done."""
    save(ledger, tmp_path, at_once=1)
    look("inbox")
    watch = ledger.schedules.state("inbox")

    save(ledger, tmp_path, at_once=1, until_done=True)
    look("inbox")

    backfill = ledger.schedules.state("inbox")
    assert (watch.problem, watch.done_at) == (None, None)
    assert backfill.done_at is not None
    assert f"There is no video in {tmp_path}" in str(backfill.problem)


def test_look__a_backfill_is_done_when_the_last_run_has_ended(ledger: Ledger, folder: Path) -> None:
    """Not when the last run has begun."""
    save(ledger, folder, at_once=9, until_done=True)
    seen(ledger)
    look("inbox")
    begun = ledger.schedules.state("inbox")

    for run in ledger.runs.active():
        end(ledger, run.run_id, Outcome.COMPLETED)
    look("inbox")

    assert (begun.waiting, begun.done_at) == (0, None)
    assert ledger.schedules.state("inbox").done_at is not None


def test_look__a_limit_counts_all_videos(ledger: Ledger, folder: Path) -> None:
    """No more runs are made than the limit says, also over several looks."""
    save(ledger, folder, at_once=1, limit=2)
    seen(ledger)

    for _ in range(4):
        look("inbox")
        for run in ledger.runs.active():
            end(ledger, run.run_id, Outcome.COMPLETED)

    assert len(sources(ledger)) == 2


def test_look__tries_again_a_few_at_once(ledger: Ledger, folder: Path) -> None:
    """Failed runs are resumed when there is room, before others begin, and each once."""
    save(ledger, folder, at_once=3, limit=3, until_done=True)
    seen(ledger)
    look("inbox")
    failed = dict(ledger.schedules.videos("inbox"))
    for run_id in failed.values():
        end(ledger, run_id, Outcome.FAILED)
    save(ledger, folder, at_once=2, limit=3, until_done=True)
    ledger.schedules.note_again("inbox", failed)

    look("inbox")
    look("inbox")

    state, open_ones = ledger.schedules.state("inbox"), ledger.runs.active()
    assert (state.waiting, state.done_at) == (1, None)
    assert len(open_ones) == 2
    assert {run.resumed_from for run in open_ones} < set(failed.values())


def test_look__goes_on_with_what_is_resumed_already(ledger: Ledger, folder: Path) -> None:
    """A run that somebody has resumed, or that is too old to be known, is not resumed again."""
    save(ledger, folder, at_once=9)
    seen(ledger)
    look("inbox")
    first, second, third = ledger.schedules.videos("inbox").items()
    for _, run_id in (first, second, third):
        end(ledger, run_id, Outcome.FAILED)
    by_hand = resume(first[1])
    ledger.schedules.add_video("inbox", second[0], "20260101-000000-0000000000")
    ledger.schedules.note_again("inbox", [first[0], second[0], third[0]])

    look("inbox")

    assert ledger.schedules.videos("inbox")[first[0]] == by_hand
    assert {run.resumed_from for run in ledger.runs.active()} == {first[1], third[1]}
    assert ledger.schedules.again("inbox") == []


def save(
    ledger: Ledger,
    folder: Path,
    *,
    at_once: int,
    limit: int | None = None,
    until_done: bool = False,
) -> None:
    """Writes a watch or a backfill of the folder."""
    each = Each(at_once=at_once, limit=limit, until_done=until_done)
    request = RunRequest(source=str(folder))
    ledger.schedules.save(Schedule(name="inbox", request=request, each=each))


def seen(ledger: Ledger) -> None:
    """Has the files looked at, long enough ago."""
    look("inbox")
    pass_time(ledger)


def pass_time(ledger: Ledger) -> None:
    """Has the last look lie a minute back."""
    looks = ledger.schedules.seen("inbox")
    earlier = {url: (validator, since - 60) for url, (validator, since) in looks.items()}
    ledger.schedules.note_seen("inbox", earlier)


def sources(ledger: Ledger) -> list[str]:
    """Returns the sources of all runs, by name."""
    return sorted(run.request.source for run in ledger.runs.newest(99))
