from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.models import Video
from curation.selection_config import diverse
from curation.states import Backend, Outcome, RunState, StepState
from curation.steps.skip import skip_curated
from tests.support.requests import REQUEST

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from curation.models import Request

VIDEO = Video(uri="s3://b/k.mp4", size_bytes=3, sha256="ab" * 32, source_url="/clip.mp4")
THREE = diverse(0.1).model_copy(update={"n_samples": 3, "proportion_samples": None})
WISHFUL = REQUEST.model_copy(update={"skip_curated": True})


def test_curated__finds_the_latest_completed_run(ledger: Ledger) -> None:
    """The same bytes and the same wish are found again, wherever the bytes come from."""
    curated_run(ledger)
    latest = curated_run(ledger)
    elsewhere = REQUEST.model_copy(update={"source": "https://example.com/copy.mp4"})

    found = ledger.runs.curated(VIDEO.sha256, elsewhere)

    assert found
    assert found.run_id == latest


@pytest.mark.parametrize(
    "difference",
    [
        {"proportion_samples": 0.2},
        {"selection_backend": Backend.LIGHTLY},
        {"selection_config": THREE},
    ],
    ids=lambda difference: next(iter(difference)),
)
def test_curated__another_wish_is_another_content(
    difference: dict[str, object], ledger: Ledger
) -> None:
    """Whoever asks for another selection of the same video gets it."""
    curated_run(ledger)

    assert ledger.runs.curated(VIDEO.sha256, REQUEST.model_copy(update=difference)) is None


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELED])
def test_curated__only_what_was_completed(outcome: Outcome, ledger: Ledger) -> None:
    """A run that failed or was canceled has curated nothing."""
    curated_run(ledger, outcome)

    assert ledger.runs.curated(VIDEO.sha256, REQUEST) is None


def test_skip_curated__ends_the_run_with_the_earlier_selection(ledger: Ledger) -> None:
    """A run that asks for it gets the earlier run's results and its outcome at once."""
    earlier = curated_run(ledger)
    run_id = begun(ledger, WISHFUL)

    skip_curated(ledger.runs.get(run_id), VIDEO, ledger.runs)

    run = ledger.runs.get(run_id)
    assert (run.state, run.outcome, run.same_as) == (
        RunState.FINISHING,
        Outcome.COMPLETED,
        earlier,
    )
    assert run.selection.filenames_uri == f"s3://results/{earlier}/selected.txt"
    assert run.selection.n_selected == 25


def test_skip_curated__the_first_of_several_stays_the_one(ledger: Ledger) -> None:
    """What was skipped is no source of results: all later runs point to the one that has them."""
    earlier = curated_run(ledger)
    skipped = begun(ledger, WISHFUL)
    ledger.runs.record_video(skipped, VIDEO)
    skip_curated(ledger.runs.get(skipped), VIDEO, ledger.runs)
    ledger.runs.end(ledger.runs.get(skipped), released=StepState.SKIPPED)

    found = ledger.runs.curated(VIDEO.sha256, WISHFUL)

    assert found
    assert found.run_id == earlier


def test_skip_curated__only_whoever_asks(ledger: Ledger) -> None:
    """Without the wish to skip, the same content is curated again."""
    curated_run(ledger)
    run_id = begun(ledger, REQUEST)

    skip_curated(ledger.runs.get(run_id), VIDEO, ledger.runs)

    assert ledger.runs.get(run_id).outcome is None


def test_take_over__a_canceled_run_stays_canceled(ledger: Ledger) -> None:
    """The first outcome wins here too."""
    earlier = ledger.runs.get(curated_run(ledger))
    run_id = begun(ledger, WISHFUL)
    ledger.runs.decide(run_id, Outcome.CANCELED)

    ledger.runs.take_over(run_id, earlier)

    assert ledger.runs.get(run_id).outcome is Outcome.CANCELED
    assert ledger.runs.get(run_id).same_as is None


def begun(ledger: Ledger, request: Request) -> str:
    """Writes a run."""
    run_id, _ = ledger.runs.create(request, deadline_s=60)
    return run_id


def curated_run(ledger: Ledger, outcome: Outcome = Outcome.COMPLETED) -> str:
    """Writes a run that has ended with `VIDEO`."""
    run_id = begun(ledger, REQUEST)
    ledger.runs.record_video(run_id, VIDEO)
    names = f"s3://results/{run_id}/selected.txt"
    ledger.runs.record_selection(run_id, n_frames=250, n_selected=25, filenames_uri=names)
    ledger.runs.decide(run_id, outcome)
    ledger.runs.end(ledger.runs.get(run_id), released=StepState.SUCCEEDED)
    return run_id
