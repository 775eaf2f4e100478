from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from curation.errors import CurationError, OperatorError, TransientError
from curation.ledger.hosted import HostedLedger
from tests.support.hosted import EXTERNAL_ID, ROLE_ARN
from tests.support.lightly import LIST, SCHEDULE, TOKEN

if TYPE_CHECKING:
    from curation.models import Run
    from tests.support.clock import Clock
    from tests.support.hosted import Hosted

CREATE = "create_dataset"
CONFIG = "create_docker_worker_config_vx"
DATASOURCE = "update_datasource_by_dataset_id"
FIND = "get_datasets_query_by_name"
# What makes an answer that says nothing, although the call may have done its work.
AMBIGUOUS = ["cut-after", "truncated", "garbage"]


def schedule(hosted: Hosted, run: Run, *, tries: int = 1) -> str:
    """Schedules as the task would: each try in a process of its own, until one succeeds."""
    for left in reversed(range(tries)):
        try:
            return hosted.backend().schedule(run)
        except TransientError:
            if not left:
                raise
    raise AssertionError


def test_schedule__tells_lightly_what_the_tutorial_does(hosted: Hosted) -> None:
    """Share, embeddings, diversity, labels, and the datapool as the documentation wants it."""
    run = hosted.new_run()

    hosted.backend(runs_on=("gpu", "fast")).schedule(run)

    (config,) = hosted.lightly.sent(CONFIG)
    (scheduled,) = hosted.lightly.sent(SCHEDULE)
    assert config == {
        "version": "V4",
        "creator": "USER_PIP",
        "config": {
            "workerType": "FULL",
            "docker": {
                "useDatapool": True,
                "relevantFilenamesFile": f".lightly/curate/{run.run_id}.txt",
                "datasource": {"processAll": True},
            },
            "selection": {
                "proportionSamples": 0.1,
                "strategies": [
                    {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
                ],
                "autoTasks": [],
            },
        },
    }
    assert scheduled == {
        "configId": hosted.known(run).config_id,
        "priority": "MID",
        "runsOn": ["gpu", "fast"],
        "creator": "USER_PIP",
    }


def test_schedule__sends_what_the_clients_own_methods_send(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our requests are those of `ApiWorkflowClient`, field by field."""
    run = hosted.new_run()
    schedule(hosted, run)
    ours = {name: hosted.lightly.sent(name) for name in (DATASOURCE, CONFIG)}
    hosted.lightly.begin()
    for name in ("urllib3", "lightly.openapi_generated.swagger_client"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])

    from lightly.api import ApiWorkflowClient  # noqa: PLC0415  # calls home if it comes first

    client = ApiWorkflowClient(token=TOKEN)
    client.set_dataset_id_by_name(hosted.dataset_name)
    for uri, purpose in ((hosted.input_uri, "INPUT"), (hosted.lightly_uri, "LIGHTLY")):
        client.set_s3_delegated_access_config(
            resource_path=uri,
            region="us-east-1",
            role_arn=ROLE_ARN,
            external_id=EXTERNAL_ID,
            purpose=purpose,
        )
    client.create_compute_worker_config(
        worker_config={
            "use_datapool": True,
            "relevant_filenames_file": f".lightly/curate/{run.run_id}.txt",
            "datasource": {"process_all": True},
        },
        selection_config={
            "proportion_samples": 0.1,
            "strategies": [{"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}],
        },
    )

    assert {name: hosted.lightly.sent(name) for name in (DATASOURCE, CONFIG)} == ours


def test_schedule__names_the_one_video(hosted: Hosted) -> None:
    """The file of relevant filenames holds the run's key, relative to the input datasource."""
    run = hosted.new_run("my clip.mp4")

    schedule(hosted, run)

    relevant = hosted.text(f"{hosted.lightly_uri}.lightly/curate/{run.run_id}.txt")
    assert relevant == f"{run.run_id}/my clip.mp4"


def test_schedule__own_dataset(hosted: Hosted) -> None:
    """With {run_id} in its name, a run has dataset, input path and results to itself."""
    run = hosted.new_run()

    hosted.backend(dataset_name="videos {run_id}").schedule(run)

    (dataset,) = hosted.lightly.sent(CREATE)
    (config,) = hosted.lightly.sent(CONFIG)
    paths = {sent["purpose"]: sent["fullPath"] for sent in hosted.lightly.sent(DATASOURCE)}
    own_results = f"{hosted.lightly_uri}{run.run_id}/"
    assert dataset == {"name": f"videos {run.run_id}", "type": "Videos", "creator": "USER_PIP"}
    assert paths == {"INPUT": f"{hosted.input_uri}{run.run_id}/", "LIGHTLY": own_results}
    assert config["config"]["docker"]["useDatapool"] is False
    assert hosted.text(f"{own_results}.lightly/curate/{run.run_id}.txt") == "clip.mp4"


def test_schedule__adopted_video(hosted: Hosted) -> None:
    """A resumed run's own dataset reads the folder of the run whose video it adopts."""
    run, resumed = hosted.new_run(), hosted.new_run()
    assert run.video
    hosted.ledger.runs.record_video(resumed.run_id, run.video)

    hosted.backend(dataset_name="{run_id}").schedule(hosted.ledger.runs.get(resumed.run_id))

    paths = {sent["purpose"]: sent["fullPath"] for sent in hosted.lightly.sent(DATASOURCE)}
    assert paths["INPUT"] == f"{hosted.input_uri}{run.run_id}/"


def test_schedule__reuses_the_dataset(hosted: Hosted) -> None:
    """A dataset that is there is used, by every run."""
    first, second = hosted.new_run(), hosted.new_run()

    schedule(hosted, first)
    schedule(hosted, second)

    assert hosted.lightly.n_acted(CREATE) == 1
    assert hosted.known(first).dataset_id == hosted.known(second).dataset_id


def test_schedule__dataset_of_images(hosted: Hosted) -> None:
    """A dataset that cannot hold videos is not used, and is named."""
    hosted.lightly.send("POST", "datasets", {"name": hosted.dataset_name, "type": "Images"})

    with pytest.raises(OperatorError, match=rf"{hosted.dataset_name}.*LIGHTLY_DATASET_NAME"):
        schedule(hosted, hosted.new_run())


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_schedule__answer_lost(hosted: Hosted, kind: str) -> None:
    """A schedule that acted without an answer is found again, not repeated."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": SCHEDULE, "kind": kind})

    scheduled_run_id = schedule(hosted, run, tries=2)

    (scheduled,) = hosted.lightly.scheduled(hosted.known(run).dataset_id or "")
    assert scheduled["id"] == scheduled_run_id
    assert hosted.known(run).scheduled_run_id == scheduled_run_id


def test_schedule__answer_lost_and_taken(hosted: Hosted) -> None:
    """It is found even when a Lightly Worker has carried it out meanwhile."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": SCHEDULE, "kind": "cut-after"})
    with pytest.raises(TransientError):
        schedule(hosted, run)
    dataset_id = hosted.known(run).dataset_id or ""
    (scheduled,) = hosted.lightly.scheduled(dataset_id)
    hosted.lightly.take(dataset_id, scheduled["id"])

    assert schedule(hosted, run) == scheduled["id"]
    assert hosted.lightly.n_acted(SCHEDULE) == 1


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        *((name, "cut-after") for name in (FIND, CREATE, DATASOURCE, CONFIG, LIST)),
        *((name, "cut-before") for name in (CREATE, DATASOURCE, CONFIG, SCHEDULE)),
    ],
)
def test_schedule__any_answer_lost(hosted: Hosted, operation: str, kind: str) -> None:
    """Whichever answer is lost, one dataset and one run come of it."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": operation, "kind": kind})

    scheduled_run_id = schedule(hosted, run, tries=3)

    assert hosted.lightly.n_acted(CREATE) == 1
    assert hosted.lightly.n_acted(SCHEDULE) == 1
    assert hosted.known(run).scheduled_run_id == scheduled_run_id


def test_schedule__newer_service(hosted: Hosted) -> None:
    """Fields that the client does not know do no harm in any answer."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": "*", "kind": "extra-field", "times": None})

    schedule(hosted, run)

    assert hosted.lightly.n_acted(SCHEDULE) == 1


def test_schedule__again__asks_nobody(hosted: Hosted) -> None:
    """Once the id is in the ledger, no call is needed."""
    run = hosted.new_run()
    scheduled_run_id = schedule(hosted, run)
    hosted.lightly.begin()

    assert schedule(hosted, run) == scheduled_run_id
    assert hosted.lightly.calls() == []


def test_schedule__throttled(hosted: Hosted) -> None:
    """429 is for the task to wait for, as long as Lightly says; nobody sleeps meanwhile."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": LIST, "code": "429", "seconds": 7.0, "times": 2})

    with pytest.raises(TransientError) as caught:
        schedule(hosted, run)
    schedule(hosted, run, tries=2)

    assert caught.value.retry_after_s == 7.0
    assert len(hosted.lightly.calls(LIST)) == 3
    assert hosted.lightly.n_acted(SCHEDULE) == 1


@pytest.mark.parametrize("code", ["401", "403"])
def test_schedule__refused_token(hosted: Hosted, code: str) -> None:
    """A token that is refused is for the operator to mend, and is named, not shown."""
    hosted.lightly.faults({"operation": LIST, "code": code, "message": f"Bad token {TOKEN}"})

    with pytest.raises(OperatorError, match="LIGHTLY_TOKEN") as caught:
        schedule(hosted, hosted.new_run())

    assert caught.value.code == "lightly:denied"
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "ours", "expected"),
    [
        ("400", "lightly:refused", OperatorError),
        ("402", "lightly:refused", OperatorError),
        ("404", "lightly:not-found", OperatorError),
        ("409", "lightly:409", TransientError),
        ("422", "lightly:refused", OperatorError),
        ("500", "lightly:500", TransientError),
        ("503", "lightly:503", TransientError),
    ],
)
def test_schedule__other_refusals(
    hosted: Hosted, code: str, ours: str, expected: type[CurationError]
) -> None:
    """Each status is somebody's to mend, and Lightly's own words are passed on."""
    hosted.lightly.faults({"operation": SCHEDULE, "code": code, "message": "Not this time."})

    with pytest.raises(expected, match=f"{code}.*Not this time") as caught:
        schedule(hosted, hosted.new_run())

    assert caught.value.code == ours


def test_schedule__no_server(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that cannot be reached is tried again."""
    monkeypatch.setenv("LIGHTLY_SERVER_LOCATION", "http://127.0.0.1:9")

    with pytest.raises(TransientError, match="LIGHTLY_SERVER_LOCATION") as caught:
        schedule(hosted, hosted.new_run())

    assert caught.value.code == "lightly:unreachable"


def test_schedule__region_that_lightly_does_not_know(hosted: Hosted) -> None:
    """A setting that only the client can judge is named."""
    with pytest.raises(OperatorError, match=r"S3_REGION \('moon-1'\)") as caught:
        hosted.backend(region="moon-1").schedule(hosted.new_run())

    assert caught.value.code == "config:lightly"


def test_schedule__by_two_deliveries_at_once(hosted: Hosted, clock: Clock) -> None:
    """While one delivery is at it, its twin waits; a dead one is waited for, but not for ever."""
    run = hosted.new_run()
    ledger = HostedLedger(hosted.ledger.store)
    abandoned = ledger.lock(f"schedule:{run.run_id}")
    abandoned.__enter__()

    with pytest.raises(TransientError) as caught:
        schedule(hosted, run)
    clock.forward(61)
    schedule(hosted, run)

    assert caught.value.code == "lightly:busy"
    assert hosted.lightly.n_acted(SCHEDULE) == 1


def test_schedule__ten_runs_in_two_processes(hosted: Hosted, valkey: str) -> None:
    """Ten runs that meet no dataset make one, and ten schedules."""
    run_ids = [hosted.new_run().run_id for _ in range(10)]
    program = f"""
        import sys, time
        from curation.adapters.selection.lightly import LightlyBackend
        from curation.adapters.storage.s3 import S3Storage
        from curation.errors import TransientError
        from curation.ledger.hosted import HostedLedger
        from curation.ledger.ledger import Ledger
        from curation.ledger.store import Store
        from curation.settings import Settings
        store = Store.connect({valkey!r})
        ledger = Ledger.over(store, retention_days=1, lease_ttl_s=100)
        settings = Settings()
        backend = LightlyBackend(
            settings.lightly, settings.s3, ledger=HostedLedger(store), objects=S3Storage())
        backend._api._connection  # what takes longest, before all begin
        run_ids = sys.stdin.readline().split()
        while run_ids:
            try:
                backend.schedule(ledger.runs.get(run_ids[0]))
                run_ids.pop(0)
            except TransientError as error:
                assert error.code == "lightly:busy", error
                time.sleep(0.05)
        """
    environment = {
        "LIGHTLY_DATASET_NAME": hosted.dataset_name,
        "S3_REGION": "us-east-1",
        "S3_ROLE_ARN": ROLE_ARN,
        "S3_EXTERNAL_ID": EXTERNAL_ID,
        "S3_INPUT_BUCKET": hosted.input_uri,
        "S3_LIGHTLY_BUCKET": hosted.lightly_uri,
    }
    # Creating takes a while, so that whoever does not wait is sure to see no dataset.
    hosted.lightly.faults({"operation": CREATE, "kind": "delay", "seconds": 1.0, "times": None})

    processes = [start_client(program, **environment) for _ in range(2)]
    for process, share in zip(processes, (run_ids[:5], run_ids[5:]), strict=True):
        assert process.stdin
        process.stdin.write(" ".join(share) + "\n")
        process.stdin.flush()
    failures = [process.communicate()[1] for process in processes]

    assert failures == ["", ""]
    assert hosted.lightly.n_acted(CREATE) == 1
    assert hosted.lightly.n_acted(SCHEDULE) == 10


def start_client(program: str, **environment: Any) -> subprocess.Popen[str]:  # noqa: ANN401  # strings
    """Starts a program in a process of its own."""
    lines = [line.removeprefix("        ") for line in program.strip("\n").splitlines()]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        env=os.environ | {"LIGHTLY_DID_VERSION_CHECK": "True"} | environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
