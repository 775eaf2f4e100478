"""Parts of an engine task: who dies, who comes late, and what is left over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.errors import RequestError, TransientError
from curation.models import Video
from curation.steps.engine import Workplace
from tests.curation.steps.conftest import storage_at
from tests.support.engine_bench import SILENT_S, EngineBench, Script
from tests.support.requests import new_run

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock


class Died(BaseException):
    """The process of a part is gone: nothing of it runs any more."""


@pytest.fixture
def bench(s3_client: S3Client, bucket: str, ledger: Ledger, clock: Clock) -> EngineBench:
    """A run whose engine task is scheduled."""
    run_id = new_run(ledger)
    uri = f"s3://{bucket}/in/clip.mp4"
    video = Video(uri=uri, size_bytes=1, sha256="0" * 64, source_url="clip.mp4")
    ledger.runs.record_video(run_id, video)
    ledger.engine.schedule(run_id)
    script = Script()
    objects = storage_at(s3_client.meta.endpoint_url)
    place = Workplace(script, objects, ledger.engine, f"s3://{bucket}/out/", SILENT_S)
    return EngineBench(ledger.runs.get(run_id), place, script, ledger, clock, s3_client, bucket)


def die() -> None:
    """Ends the process."""
    raise Died


def test_run__in_segments(bench: EngineBench) -> None:
    """Plan, segments and choice, one after the other, make one result; no work file is left."""
    bench.select()
    for segment in (1, 0):
        bench.embed(segment)
    assert len(bench.objects()) == 2
    bench.choose()

    assert (bench.task.state, bench.task.n_frames, bench.task.n_selected) == ("COMPLETED", 20, 1)
    assert bench.objects() == ["selected.txt"]
    assert bench.task.report_uri == f"{bench.place.results_uri}{bench.run.run_id}/report.html"
    assert bench.ledger.engine.unclean() == []
    with bench.place.objects.read(
        f"{bench.place.results_uri}{bench.run.run_id}/selected.txt"
    ) as it:
        assert b"".join(it) == b"work 0work 1"


def test_run__that_is_short_is_done_at_once(bench: EngineBench) -> None:
    """What is not cut up needs no further message, and leaves no work file at any time."""
    bench.script.n_segments = 1

    bench.select()

    assert bench.task.state == "COMPLETED"
    assert (bench.sent, bench.ledger.engine.unclean()) == ([], [])


def test_choose__waits_for_all_segments(bench: EngineBench) -> None:
    """A chord whose counter is wrong brings the choice early: then nothing happens."""
    bench.select()
    bench.embed(0)

    bench.choose()
    assert bench.task.state == "EMBEDDING"
    bench.embed(1)
    bench.choose()
    bench.choose(generation=1)

    assert bench.script.done == ["plan", "0", "1", "choice"]


def test_run__only_what_is_missing_is_done_again(bench: EngineBench) -> None:
    """After a death the next generation embeds the segment that is not there, and no other."""
    bench.select()
    bench.embed(0)
    bench.script.meanwhile["1"] = die
    with pytest.raises(Died):
        bench.embed(1)
    bench.script.meanwhile.clear()
    bench.clock.forward(SILENT_S + 1)

    bench.select()
    bench.embed(0)
    bench.embed(1)
    bench.choose()

    assert bench.sent == [(1, [(0, None, None), (1, None, None)]), (2, [(1, None, None)])]
    assert bench.script.done == ["plan", "0", "plan", "1", "choice"]


@pytest.mark.parametrize("part", ["plan", "1", "choice"])
def test_run__a_part_that_kills_its_workers_ends_it(bench: EngineBench, part: str) -> None:
    """A video on which worker after worker dies fails its run, instead of killing for ever."""
    bench.script.meanwhile[part] = die
    n_deaths = 0
    while not bench.task.is_end:
        try:
            bench.deliver_all()
        except Died:
            n_deaths += 1
        bench.clock.forward(SILENT_S + 1)

    assert n_deaths == 5
    assert (bench.task.state, bench.task.code) == ("FAILED", "worker:lost")
    assert "5 engine workers died" in bench.task.message


def test_embed__an_error_of_the_video_ends_the_task(bench: EngineBench) -> None:
    """The first segment that cannot be decoded fails the run; the others are not begun."""

    def refuse() -> None:
        raise RequestError("It is no video.", "source:undecodable")

    bench.script.meanwhile["0"] = refuse
    bench.select()
    bench.embed(0)
    bench.embed(1)

    assert (bench.task.state, bench.task.code) == ("FAILED", "source:undecodable")
    assert bench.script.done == ["plan"]


def test_embed__a_passing_trouble_is_no_death(bench: EngineBench) -> None:
    """A bucket that does not answer may do so as often as it likes; the segment is tried again."""

    def stumble() -> None:
        raise TransientError("S3 does not answer.", "s3:unreachable")

    bench.script.meanwhile["0"] = stumble
    bench.select()
    for _ in range(9):
        with pytest.raises(TransientError):
            bench.embed(0)
    bench.script.meanwhile.clear()
    bench.embed(0)

    assert bench.task.segments_done == 1


def test_embed__late_after_the_end_leaves_nothing(bench: EngineBench) -> None:
    """A segment that comes to its end when the run is canceled takes its work file back."""
    bench.select()
    bench.embed(0)
    bench.script.meanwhile["end of 1"] = lambda: bench.ledger.engine.cancel(bench.run.run_id)

    bench.embed(1)
    bench.choose()

    assert len(bench.objects()) == 1
    assert bench.reap() == []  # somebody might still be at work
    bench.clock.forward(SILENT_S + 1)
    assert bench.reap() == [f"cleared the work of {bench.run.run_id}"]
    assert bench.objects() == []
    assert bench.reap() == []


def test_embed__late_beside_a_later_generation_takes_nothing_away(bench: EngineBench) -> None:
    """A frozen delivery that wakes up leaves the file alone that its successor has written."""

    def freeze() -> None:
        bench.script.meanwhile.clear()
        bench.clock.forward(SILENT_S + 1)
        bench.select()
        bench.embed(0)

    bench.script.meanwhile["end of 0"] = freeze
    bench.select()
    bench.embed(0)
    bench.embed(1)
    bench.choose()

    assert (bench.task.state, bench.task.generation) == ("COMPLETED", 3)


def test_reap__leaves_a_run_at_work_alone(bench: EngineBench) -> None:
    """However silent it is, a task that has not ended may still need its work files."""
    bench.select()
    bench.embed(0)
    bench.clock.forward(1000)

    assert bench.reap() == []
    assert len(bench.objects()) == 1
