from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from curation.doctor.check import Finding, Health
from curation.doctor.lightly import LightlyChecks
from tests.support.cloud import INSTANCE_ID
from tests.support.doctor import found, new_wiring
from tests.support.lightly import TOKEN, lightly_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lightly import Lightly

FIND = "get_datasets_query_by_name"
VERIFY = "verify_datasource_by_dataset_id"
WORKERS = "get_docker_worker_registry_entries"
NAMES = ["lightly token", "lightly dataset", "lightly datasource", "lightly worker"]


@pytest.fixture(autouse=True)
def name(lightly: Lightly, monkeypatch: pytest.MonkeyPatch) -> str:
    """Settings with a dataset that no other test uses, and a label that no Lightly Worker has."""
    assert lightly
    name = f"videos {uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("LIGHTLY_DATASET_NAME", name)
    monkeypatch.setenv("LIGHTLY_RUNS_ON", name)
    monkeypatch.setenv("EC2_INSTANCE_ID", INSTANCE_ID)
    monkeypatch.setenv("S3_INPUT_BUCKET", "s3://input/videos/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", "s3://lightly/results/")
    return name


def findings() -> dict[str, Finding]:
    """Returns what is found."""
    return found(LightlyChecks(new_wiring()).all())


def register(lightly: Lightly, *labels: str) -> None:
    """Registers a Lightly Worker."""
    entry = {"name": f"worker of {labels}", "workerType": "FULL", "labels": list(labels)}
    lightly.send("POST", "docker/worker", entry)


def create(lightly: Lightly, name: str, *, kind: str = "Videos") -> str:
    """Creates a dataset and returns its id."""
    return str(lightly.send("POST", "datasets", {"name": name, "type": kind})["id"])


def test_lightly__nothing_when_all_is_well(lightly: Lightly, name: str) -> None:
    """Before the first run: the token is accepted, and a Lightly Worker has the labels."""
    register(lightly, name, "more")

    found = findings()

    assert list(found) == NAMES
    assert {it.state for it in found.values()} == {Health.OK}


def test_lightly__changes_nothing(lightly: Lightly) -> None:
    """The doctor looks, and creates no dataset."""
    findings()

    assert all(call["operation"].startswith("get_") for call in lightly.calls())


def test_lightly__after_the_first_run(lightly: Lightly, name: str) -> None:
    """A dataset that is there is verified: Lightly says what it may do in the input bucket."""
    dataset_id = create(lightly, name)
    place = {"purpose": "INPUT", "type": "S3DelegatedAccess", "fullPath": "s3://input/videos/"}
    refused = findings()["lightly datasource"]
    lightly.send("PUT", f"datasets/{dataset_id}/datasource", place)
    permitted = findings()["lightly datasource"]

    assert refused.state is Health.FAIL
    assert "s3:GetObject and s3:ListBucket on s3://input/videos/" in str(refused.mend)
    assert permitted.state is Health.OK


def test_lightly__token_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused token is one failure that names the setting; it is not shown."""
    monkeypatch.setenv("LIGHTLY_TOKEN", "canary")

    found = findings()

    assert found["lightly token"].state is Health.FAIL
    assert "LIGHTLY_TOKEN" in str(found["lightly token"].mend)
    assert {found[name].mend for name in NAMES[1:]} == {"Mend 'lightly token' first."}
    assert "canary" not in str(found)


def test_lightly__dataset_of_another_type(lightly: Lightly, name: str) -> None:
    """A dataset of images cannot take videos; the token is well nevertheless."""
    create(lightly, name, kind="Images")

    found = findings()

    assert found["lightly token"].state is Health.OK
    assert found["lightly dataset"].state is Health.FAIL
    assert "LIGHTLY_DATASET_NAME" in str(found["lightly dataset"].mend)
    assert found["lightly datasource"].mend == "Mend 'lightly dataset' first."


def test_lightly__no_worker_with_the_labels(lightly: Lightly, name: str) -> None:
    """Labels that no Lightly Worker has would leave every run waiting until its deadline."""
    register(lightly, "another label")

    finding = findings()["lightly worker"]

    assert finding.state is Health.FAIL
    assert "LIGHTLY_RUNS_ON" in str(finding.mend)
    assert f"register_compute_worker(name='worker', labels=['{name}'])" in str(finding.mend)


@pytest.mark.parametrize(
    ("labels", "instance", "state"),
    [("", INSTANCE_ID, Health.OK), ("gpu", INSTANCE_ID, Health.WARN), ("", "", Health.WARN)],
)
def test_lightly__no_worker_at_all(
    labels: str, instance: str, state: Health, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instance's first Lightly Worker registers itself, but without labels."""
    monkeypatch.setenv("LIGHTLY_RUNS_ON", labels)
    monkeypatch.setenv("EC2_INSTANCE_ID", instance)
    with lightly_server(tmp_path) as empty:
        monkeypatch.setenv("LIGHTLY_SERVER_LOCATION", empty.url)

        finding = findings()["lightly worker"]

    assert finding.state is state


@pytest.mark.parametrize("operation", [WORKERS, VERIFY])
def test_lightly__an_answer_that_cannot_be_read(
    operation: str, lightly: Lightly, name: str
) -> None:
    """What Lightly cannot say now is told as such, with what to do."""
    create(lightly, name)
    lightly.faults({"operation": operation, "kind": "garbage", "times": None})

    found = findings()

    (finding,) = (it for it in found.values() if "cannot be read" in it.found)
    assert finding.state is (Health.WARN if operation == WORKERS else Health.FAIL)
    assert str(finding.mend).startswith("Look again")


@pytest.mark.parametrize("variable", ["LIGHTLY_TOKEN", "LIGHTLY_DATASET_NAME"])
def test_lightly__is_not_asked_without(
    variable: str, lightly: Lightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token, or a dataset to ask for, there is nothing to ask."""
    monkeypatch.delenv(variable)

    found = findings()

    assert {it.found for it in found.values()} == {"Not checked."}
    assert found["lightly token"].mend == f"Mend 'setting {variable}' first."
    assert lightly.calls() == []


def test_lightly__is_not_needed_by_our_engine(
    lightly: Lightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where our engine selects, nothing is asked and nothing is found."""
    monkeypatch.setenv("SELECTION_BACKEND", "engine")

    assert findings() == {}
    assert lightly.calls() == []


def test_lightly__secrets_stay_out(lightly: Lightly) -> None:
    """No finding shows the token, whatever goes wrong."""
    for kind in ("cut-before", "garbage", "truncated"):
        lightly.faults({"operation": FIND, "kind": kind, "times": None})
        assert TOKEN not in str(findings())
        lightly.faults()
