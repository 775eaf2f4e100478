from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from curation.errors import OperatorError, TransientError
from curation.ledger.hosted import HostedLedger
from tests.support.hosted import EXTERNAL_ID, ROLE_ARN
from tests.support.lightly import SCHEDULE, TOKEN

if TYPE_CHECKING:
    from tests.support.clock import Clock
    from tests.support.hosted import Hosted

CREATE = "create_dataset"
CONFIG = "create_docker_worker_config_vx"
DATASOURCE = "update_datasource_by_dataset_id"
FIND = "get_datasets_query_by_name"
SCHEDULER = """
import sys, time
from curation.adapters.selection.lightly import LightlyBackend
from curation.adapters.storage.s3 import S3Storage
from curation.errors import TransientError
from curation.ledger.hosted import HostedLedger
from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from curation.settings import Settings
store = Store.connect(sys.argv[1])
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
ROLE = (ROLE_ARN, EXTERNAL_ID)
STRATEGY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}


def test_schedule__tells_lightly_what_the_tutorial_does(hosted: Hosted) -> None:
    """Share, embeddings, diversity, labels, and the datapool as the documentation wants it."""
    run = hosted.new_run()

    hosted.backend(runs_on=("gpu", "fast")).schedule(run)

    (config,) = hosted.lightly.sent(CONFIG)
    (scheduled,) = hosted.lightly.sent(SCHEDULE)
    assert config["config"]["docker"] == {
        "useDatapool": True,
        "relevantFilenamesFile": f".lightly/curate/{run.run_id}.txt",
        "datasource": {"processAll": True},
    }
    assert config["config"]["selection"] == {
        "proportionSamples": 0.1,
        "strategies": [STRATEGY],
        "autoTasks": [],
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
    hosted.backend().schedule(run)
    ours = {name: hosted.lightly.sent(name) for name in (DATASOURCE, CONFIG)}
    hosted.lightly.begin()
    for name in ("urllib3", "lightly.openapi_generated.swagger_client"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    from lightly.api import ApiWorkflowClient  # noqa: PLC0415  # calls home if it comes first

    client = ApiWorkflowClient(token=TOKEN)
    client.set_dataset_id_by_name(hosted.dataset_name)
    for uri, purpose in ((hosted.input_uri, "INPUT"), (hosted.lightly_uri, "LIGHTLY")):
        client.set_s3_delegated_access_config(uri, "us-east-1", *ROLE, purpose=purpose)
    worker_config = {
        "use_datapool": True,
        "relevant_filenames_file": f".lightly/curate/{run.run_id}.txt",
        "datasource": {"process_all": True},
    }
    selection_config = {"proportion_samples": 0.1, "strategies": [STRATEGY]}
    client.create_compute_worker_config(worker_config, selection_config=selection_config)

    assert {name: hosted.lightly.sent(name) for name in (DATASOURCE, CONFIG)} == ours


def test_schedule__names_the_one_video(hosted: Hosted) -> None:
    """The file of relevant filenames holds the run's key, relative to the input datasource."""
    run = hosted.new_run("my clip.mp4")

    hosted.backend().schedule(run)

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

    hosted.backend().schedule(first)
    hosted.backend().schedule(second)

    assert hosted.lightly.n_acted(CREATE) == 1
    assert hosted.known(first).dataset_id == hosted.known(second).dataset_id


def test_schedule__dataset_of_images(hosted: Hosted) -> None:
    """A dataset that cannot hold videos is not used, and is named."""
    hosted.lightly.send("POST", "datasets", {"name": hosted.dataset_name, "type": "Images"})

    with pytest.raises(OperatorError, match=rf"{hosted.dataset_name}.*LIGHTLY_DATASET_NAME"):
        hosted.backend().schedule(hosted.new_run())


def test_schedule__again__asks_nobody(hosted: Hosted) -> None:
    """Once the id is in the ledger, no call is needed."""
    run = hosted.new_run()
    scheduled_run_id = hosted.backend().schedule(run)
    hosted.lightly.begin()

    assert hosted.backend().schedule(run) == scheduled_run_id
    assert hosted.lightly.calls() == []


def test_schedule__by_two_deliveries_at_once(hosted: Hosted, clock: Clock) -> None:
    """While one delivery is at it, its twin waits; a dead one is waited for, but not for ever."""
    run = hosted.new_run()

    with HostedLedger(hosted.ledger.store).lock(f"schedule:{run.run_id}"):
        with pytest.raises(TransientError) as caught:
            hosted.backend().schedule(run)
        clock.forward(61)
        hosted.backend().schedule(run)

    assert caught.value.code == "lightly:busy"
    assert hosted.lightly.n_acted(SCHEDULE) == 1


def test_schedule__ten_runs_in_two_processes(hosted: Hosted, valkey: str) -> None:
    """Ten runs that meet no dataset make one, and ten schedules."""
    run_ids = [hosted.new_run().run_id for _ in range(10)]
    # Creating takes a while, so that whoever does not wait is sure to see no dataset.
    hosted.lightly.faults({"operation": CREATE, "kind": "delay", "seconds": 1.0, "times": None})

    processes = [start_scheduler(hosted, valkey) for _ in range(2)]
    for process, share in zip(processes, (run_ids[:5], run_ids[5:]), strict=True):
        assert process.stdin
        process.stdin.write(" ".join(share) + "\n")
        process.stdin.flush()
    failures = [process.communicate()[1] for process in processes]

    assert failures == ["", ""]
    assert hosted.lightly.n_acted(CREATE) == 1
    assert hosted.lightly.n_acted(SCHEDULE) == 10


def start_scheduler(hosted: Hosted, valkey: str) -> subprocess.Popen[str]:
    """Starts a process that schedules the runs whose ids it is given in a line."""
    settings = {
        "LIGHTLY_DATASET_NAME": hosted.dataset_name,
        "S3_REGION": "us-east-1",
        "S3_ROLE_ARN": ROLE_ARN,
        "S3_EXTERNAL_ID": EXTERNAL_ID,
        "S3_INPUT_BUCKET": hosted.input_uri,
        "S3_LIGHTLY_BUCKET": hosted.lightly_uri,
    }
    return subprocess.Popen(
        [sys.executable, "-c", SCHEDULER, valkey],
        env=os.environ | settings,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
