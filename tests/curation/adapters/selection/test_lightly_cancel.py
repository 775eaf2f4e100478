from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from curation.errors import OperatorError, TransientError
from tests.support.lightly import CANCEL, LIST, SCHEDULE

if TYPE_CHECKING:
    from curation.models import Run
    from tests.support.hosted import Hosted


@pytest.fixture
def run(hosted: Hosted) -> Run:
    """A run that is scheduled."""
    run = hosted.new_run()
    hosted.backend().schedule(run)
    return run


def states(hosted: Hosted, run: Run) -> list[str]:
    """Returns the states of all scheduled runs of the run's dataset."""
    return [it["state"] for it in hosted.lightly.scheduled(hosted.known(run).dataset_id or "")]


def test_cancel__open(hosted: Hosted, run: Run) -> None:
    """A run that nobody has picked up is canceled there; again is harmless."""
    hosted.backend().cancel(run)
    hosted.backend().cancel(run)

    assert states(hosted, run) == ["CANCELED"]
    assert len(hosted.lightly.calls(CANCEL)) == 1


def test_cancel__picked_up(hosted: Hosted, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """A run that is being carried out cannot be canceled; it ends with its instance."""
    hosted.take(run)

    with caplog.at_level(logging.INFO):
        hosted.backend().cancel(run)

    assert states(hosted, run) == ["LOCKED"]
    assert "ends with its instance" in caplog.text


def test_cancel__never_scheduled(hosted: Hosted) -> None:
    """Where nothing was asked for, nobody is asked."""
    hosted.backend().cancel(hosted.new_run())

    assert hosted.lightly.calls() == []


def test_cancel__answer_of_the_schedule_lost(hosted: Hosted) -> None:
    """A run whose id never arrived is found by its configuration."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": SCHEDULE, "kind": "cut-after"})
    with pytest.raises(TransientError):
        hosted.backend().schedule(run)

    hosted.backend().cancel(run)

    assert states(hosted, run) == ["CANCELED"]


@pytest.mark.parametrize("operation", [LIST, CANCEL])
@pytest.mark.parametrize("fault", [{"code": "503"}, {"kind": "cut-before", "times": 2}])
def test_cancel__passing_trouble(
    hosted: Hosted, run: Run, operation: str, fault: dict[str, str | int]
) -> None:
    """Canceling gets a few tries, because what stays scheduled is taken at the next boot."""
    hosted.lightly.faults({"operation": operation} | fault)

    hosted.backend().cancel(run)

    assert states(hosted, run) == ["CANCELED"]


def test_cancel__answer_lost(hosted: Hosted, run: Run) -> None:
    """A cancel that acted without an answer is seen to have acted."""
    hosted.lightly.faults({"operation": CANCEL, "kind": "cut-after"})

    hosted.backend().cancel(run)

    assert states(hosted, run) == ["CANCELED"]


def test_cancel__refused_token(hosted: Hosted, run: Run) -> None:
    """A refused token is not asked with again."""
    hosted.lightly.begin()
    hosted.lightly.faults({"operation": LIST, "code": "401", "times": None})

    with pytest.raises(OperatorError, match="LIGHTLY_TOKEN"):
        hosted.backend().cancel(run)

    assert len(hosted.lightly.calls(LIST)) == 1
