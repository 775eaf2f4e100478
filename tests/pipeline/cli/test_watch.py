from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from curation.ledger import keys
from curation.names import run_name
from curation.states import Outcome, RunState, StepName, StepState
from pipeline.cli import output, watch
from pipeline.cli.view import RunView
from tests.support.cli import end, new_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from curation.ledger.ledger import Ledger
    from pipeline.cli.watch import Look


def test_progress__says_each_change_once(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a log there is one line for each change, and none for a look that found no news."""
    run_id = new_run(ledger)

    with watch.progress() as show:
        show([watch.look_at(run_id)])
        show([watch.look_at(run_id)])
        ledger.runs.record_selection(run_id, state="EMBEDDING")
        show([watch.look_at(run_id)])

    lines = [line.split("  ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["run pending", "selection run EMBEDDING"]


def test_follow__ends_when_all_have_ended(ledger: Ledger) -> None:
    """Of several runs, the last one decides when the watching is over."""
    run_ids = [new_run(ledger), new_run(ledger)]
    end(ledger, run_ids[0], Outcome.COMPLETED)
    seen: list[list[RunState]] = []

    def show(looks: Sequence[Look]) -> None:
        seen.append([look.run.state for look in looks])
        end(ledger, run_ids[1], Outcome.FAILED)

    runs = watch.follow(run_ids, show)

    assert seen[0] == [RunState.COMPLETED, RunState.PENDING]
    assert [run.state for run in runs] == [RunState.COMPLETED, RunState.FAILED]


def test_run_view__shows_frames_done(ledger: Ledger) -> None:
    """While the engine works, the selection's line says how many frames are done."""
    run_id = new_run(ledger)
    ledger.engine.schedule(run_id)
    generation = ledger.engine.take(run_id, silent_s=60.0)
    ledger.engine.beat(run_id, generation, state="EMBEDDING", n_done=120, n_frames=250)

    text = rendered(watch.look_at(run_id))

    assert "EMBEDDING" in text
    assert "120 of 250 frames" in text


def test_run_view__shows_segments_rate_and_rest(ledger: Ledger, redis_client: Redis) -> None:
    """Of a long video it says how many segments are done, how fast it goes, and what is left."""
    run_id = new_run(ledger)
    ledger.engine.schedule(run_id)
    generation = ledger.engine.take(run_id, silent_s=60.0)
    ledger.engine.plan(run_id, generation, n_segments=4, n_frames=2000)
    ledger.engine.count(run_id, generation, 0, 500, is_end=True)
    redis_client.hset(keys.engine_key(run_id), mapping={"began_at": 1000.0, "embedded_at": 1010.0})

    text = rendered(watch.look_at(run_id))

    assert "500 of 2000 frames, 1/4 segments, 50/s, 30.0 s left" in text


def test_run_view__shows_every_step(ledger: Ledger) -> None:
    """All four steps have a line, whatever became of them, and an error is written out."""
    run_id = new_run(ledger, source="https://example.com/videos/clip.mp4?token=1")
    end(ledger, run_id, Outcome.FAILED)

    text = rendered(watch.look_at(run_id))

    assert f"{run_name(run_id)}  clip.mp4  failed" in text
    assert [step for step in StepName if f" {step} " not in text] == []
    assert f"{StepState.CANCELED}" in text
    assert "Why: source:empty" in text
    assert "/clip.mp4 is empty." in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-0.1, "0.0 s"),
        (3.21, "3.2 s"),
        (59.99, "1 min 00 s"),
        (245.0, "4 min 05 s"),
        (7620.0, "2 h 07 min"),
    ],
)
def test_duration__suits_its_length(seconds: float, text: str) -> None:
    """Short times have tenths, long ones minutes; a clock that went back is no negative time."""
    assert output.duration(seconds) == text


def rendered(look: Look) -> str:
    """Returns what a terminal of 120 columns would show."""
    console = Console(file=io.StringIO(), width=120)
    console.print(RunView(look))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
