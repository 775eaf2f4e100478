from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.adapters.selection.lightly import MOST_DOUBTS
from curation.errors import OperatorError, TransientError
from curation.ledger.hosted import HostedRun
from curation.ports import SelectionLook
from tests.support.hosted import frames
from tests.support.lightly import LIST, LOOK

if TYPE_CHECKING:
    from curation.adapters.selection.lightly import LightlyBackend
    from curation.models import Run
    from tests.support.hosted import Hosted

TAGS = "get_docker_run_tags"
EXPORT = "export_tag_to_basic_filenames"
LINK = "get_docker_run_artifact_read_url_by_id"


@pytest.fixture
def run(hosted: Hosted) -> Run:
    """A run that is scheduled."""
    run = hosted.new_run()
    hosted.backend().schedule(run)
    return run


@pytest.fixture
def backend(hosted: Hosted) -> LightlyBackend:
    """The backend, in a process that has not scheduled anything."""
    return hosted.backend()


def test_look__before_it_is_picked_up(backend: LightlyBackend, run: Run) -> None:
    """A run that nobody has taken is OPEN, and no end."""
    assert backend.look(run) == SelectionLook(state="OPEN")


def test_look__on_its_way(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """Each state is reported in Lightly's words, and the run's id there is noted."""
    made = hosted.take(run)
    seen = []
    for state in ("INITIALIZING", "EMBEDDING", "SAMPLING"):
        hosted.lightly.enter(made, state)
        seen.append(backend.look(run))

    assert seen == [SelectionLook(state=it) for it in ("INITIALIZING", "EMBEDDING", "SAMPLING")]
    assert hosted.known(run).lightly_run_id == made


def test_look__picked_up_a_moment_ago(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """Between pick-up and the first state a run is LOCKED."""
    hosted.take(run)
    hosted.lightly.faults({"operation": LOOK, "code": "404"})

    assert backend.look(run).state == "LOCKED"


def test_look__completed(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """The names of the selected frames are kept and counted, and the report is."""
    made = hosted.take(run)
    hosted.lightly.add_report(made, "REPORT_V2_JSON", b'{"frames": 2}')
    hosted.lightly.add_report(made, "REPORT_PDF", b"%PDF-1.7")
    hosted.lightly.complete(made, frames(run, 3, 70))

    look = backend.look(run)

    prefix = f"{hosted.lightly_uri}{run.run_id}/"
    assert look == SelectionLook(
        state="COMPLETED",
        is_end=True,
        succeeded=True,
        n_selected=2,
        filenames_uri=f"{prefix}selected.txt",
        report_uri=f"{prefix}report.pdf",
    )
    assert hosted.text(look.filenames_uri).splitlines() == frames(run, 3, 70)
    assert hosted.text(look.report_uri) == "%PDF-1.7"


def test_look__completed__again(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """A look whose outcome got lost may be repeated, elsewhere too."""
    hosted.lightly.complete(hosted.take(run), frames(run, 1))

    assert backend.look(run) == hosted.backend().look(run)


@pytest.mark.parametrize(
    ("kind", "name"), [("REPORT_V2_JSON", "report.json"), ("REPORT_JSON", "report.json")]
)
def test_look__report_in_json(
    hosted: Hosted, backend: LightlyBackend, run: Run, kind: str, name: str
) -> None:
    """Older and newer Lightly Workers write reports of other kinds; any is welcome."""
    made = hosted.take(run)
    hosted.lightly.add_report(made, kind, b"{}")
    hosted.lightly.complete(made, frames(run, 1))

    assert backend.look(run).report_uri == f"{hosted.lightly_uri}{run.run_id}/{name}"


@pytest.mark.parametrize("operation", [LINK, "download_artifact"])
@pytest.mark.parametrize("fault", [{"code": "500"}, {"code": "403"}, {"kind": "cut-before"}])
def test_look__no_report(
    hosted: Hosted, backend: LightlyBackend, run: Run, operation: str, fault: dict[str, str]
) -> None:
    """A report that cannot be fetched fails no run."""
    made = hosted.take(run)
    hosted.lightly.add_report(made, "REPORT_PDF", b"%PDF-1.7")
    hosted.lightly.complete(made, frames(run, 1))
    hosted.lightly.faults({"operation": operation, "times": None} | fault)

    look = backend.look(run)

    assert look.succeeded
    assert look.report_uri is None


def test_look__thousands_of_frames(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """The names of a large tag come in pages, and all are kept."""
    names = [f"{run.run_id}/clip-{number:05}-mp4.png" for number in range(5_001)]
    hosted.lightly.complete(hosted.take(run), names)

    look = backend.look(run)

    assert look.n_selected == 5_001
    assert hosted.text(look.filenames_uri).splitlines() == names
    assert len(hosted.lightly.calls(EXPORT)) == 2


@pytest.mark.parametrize("state", ["FAILED", "CRASHED", "ABORTED"])
def test_look__bad_end(hosted: Hosted, backend: LightlyBackend, run: Run, state: str) -> None:
    """A run that ended badly fails with Lightly's own words."""
    hosted.lightly.enter(hosted.take(run), state, "The dataset is not empty.")

    look = backend.look(run)

    assert (look.state, look.is_end, look.succeeded) == (state, True, False)
    assert look.code == f"lightly:run:{state.lower()}"
    assert "The dataset is not empty." in look.message


def test_look__canceled_there(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """A run that somebody canceled on the platform has ended."""
    known = hosted.known(run)
    path = f"datasets/{known.dataset_id}/docker/worker/schedule/{known.scheduled_run_id}"
    hosted.lightly.send("PUT", path)

    look = backend.look(run)

    assert (look.state, look.is_end, look.code) == ("CANCELED", True, "lightly:run:canceled")


@pytest.mark.parametrize("operation", [LOOK, LIST])
def test_look__state_of_a_newer_service(
    hosted: Hosted, backend: LightlyBackend, run: Run, operation: str
) -> None:
    """A state that is not known is reported as it is, and ends nothing."""
    if operation == LOOK:
        hosted.take(run)
    hosted.lightly.faults({"operation": operation, "kind": "state", "code": "PONDERING"})

    assert backend.look(run) == SelectionLook(state="PONDERING")


def test_look__fields_of_a_newer_service(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """Fields that are not known do no harm, to the very end."""
    hosted.lightly.complete(hosted.take(run), frames(run, 1))
    hosted.lightly.faults({"operation": "*", "kind": "extra-field", "times": None})

    assert backend.look(run).succeeded


@pytest.mark.parametrize("operation", [LOOK, TAGS, EXPORT])
@pytest.mark.parametrize(
    "fault",
    [
        {"code": "500", "times": 3},
        {"code": "429", "times": 3},
        # urllib3 repeats a GET once.
        {"kind": "cut-before", "times": 6},
        {"kind": "truncated", "times": 6},
    ],
)
def test_look__passing_trouble(
    hosted: Hosted,
    backend: LightlyBackend,
    run: Run,
    operation: str,
    fault: dict[str, str | int],
) -> None:
    """What may be over the next time ends no run, and does not touch its end."""
    hosted.lightly.complete(hosted.take(run), frames(run, 1))
    hosted.lightly.faults({"operation": operation} | fault)

    for _ in range(3):
        with pytest.raises(TransientError):
            backend.look(run)

    assert backend.look(run).succeeded


@pytest.mark.parametrize("operation", [LOOK, TAGS])
def test_look__garbage(hosted: Hosted, backend: LightlyBackend, run: Run, operation: str) -> None:
    """An answer that cannot be read says nothing about the run."""
    hosted.lightly.complete(hosted.take(run), frames(run, 1))
    hosted.lightly.faults({"operation": operation, "kind": "garbage"})

    with pytest.raises(TransientError) as caught:
        backend.look(run)

    assert caught.value.code == "lightly:unreadable"
    assert backend.look(run).succeeded


@pytest.mark.parametrize("operation", [LIST, TAGS])
def test_look__not_found_once(
    hosted: Hosted, backend: LightlyBackend, run: Run, operation: str
) -> None:
    """What is not found once is looked for again."""
    if operation == TAGS:
        hosted.lightly.complete(hosted.take(run), frames(run, 1))
    hosted.lightly.faults({"operation": operation, "code": "404"})

    with pytest.raises(TransientError):
        backend.look(run)

    assert backend.look(run).state in ("OPEN", "COMPLETED")


@pytest.mark.parametrize("code", ["401", "403"])
def test_look__token_refused_for_good(
    hosted: Hosted, backend: LightlyBackend, run: Run, code: str
) -> None:
    """One refusal may be a hiccup; some in a row are for the operator to mend."""
    hosted.lightly.faults({"operation": LOOK, "code": code, "times": None})

    for _ in range(MOST_DOUBTS - 1):
        with pytest.raises(TransientError):
            backend.look(run)
    with pytest.raises(OperatorError, match="LIGHTLY_TOKEN") as caught:
        hosted.backend().look(run)

    assert caught.value.code == "lightly:denied"


def test_look__token_refused_now_and_then(
    hosted: Hosted, backend: LightlyBackend, run: Run
) -> None:
    """Refusals that are not in a row never add up."""
    for _ in range(MOST_DOUBTS):
        hosted.lightly.faults({"operation": LOOK, "code": "401"})
        with pytest.raises(TransientError):
            backend.look(run)
        assert backend.look(run).state == "OPEN"


def test_look__deleted_there(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """A run that Lightly no longer knows fails, once that is certain."""
    ledger_key = f"curation:hosted:{run.run_id}"
    hosted.ledger.store.set_fields(ledger_key, {"scheduled_run_id": "0" * 24, "config_id": "0"})

    for _ in range(MOST_DOUBTS - 1):
        with pytest.raises(TransientError):
            backend.look(run)
    with pytest.raises(OperatorError, match="does not know") as caught:
        backend.look(run)

    assert caught.value.code == "lightly:run:unknown"


def test_look__no_tag(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """A completed run without a result fails, once that is certain."""
    hosted.lightly.enter(hosted.take(run), "COMPLETED")

    for _ in range(MOST_DOUBTS - 1):
        with pytest.raises(TransientError):
            backend.look(run)
    with pytest.raises(OperatorError, match="no tag"):
        backend.look(run)


def test_look__ten_runs_on_one_dataset(hosted: Hosted, backend: LightlyBackend) -> None:
    """No name of another run's frames is exported, even if a tag holds those of all runs."""
    runs = [hosted.new_run() for _ in range(10)]
    hosted.lightly.hand("plan", {"wide_tags": True})
    for run in runs:
        backend.schedule(run)
        hosted.lightly.complete(hosted.take(run), frames(run, 1, 2))

    looks = [backend.look(run) for run in runs]

    kept = [hosted.text(look.filenames_uri).splitlines() for look in looks]
    assert kept == [frames(run, 1, 2) for run in runs]
    assert {look.n_selected for look in looks} == {2}


def test_look__only_other_videos(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """A selection of nothing but other runs' frames is no success."""
    hosted.lightly.complete(hosted.take(run), frames(hosted.new_run(), 1, 2))

    look = backend.look(run)

    assert (look.is_end, look.succeeded, look.code) == (True, False, "lightly:other-video")


def test_look__facts_of_the_ledger(hosted: Hosted, backend: LightlyBackend, run: Run) -> None:
    """Every id is in the ledger the moment it is known."""
    made = hosted.take(run)
    backend.look(run)

    known = hosted.known(run)

    (scheduled,) = hosted.lightly.scheduled(known.dataset_id or "")
    ids = (scheduled["datasetId"], scheduled["configId"], scheduled["id"], made)
    assert known == HostedRun(*ids, n_calls=1)
