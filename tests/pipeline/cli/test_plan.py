from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from curation.states import InstanceState, StepName
from tests.support.cloud import INSTANCE_ID

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate
    from tests.support.cloud import Cloud

POLICY = Path(__file__).parents[3] / "deploy" / "iam" / "pipeline.json"


@pytest.fixture(autouse=True)
def buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets by name only: nobody asks for them."""
    monkeypatch.setenv("S3_INPUT_BUCKET", "s3://input/videos/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", "s3://results/")


@pytest.fixture
def instance_id(ledger: Ledger, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """The instance that the settings name."""
    assert ledger
    assert cloud
    monkeypatch.setenv("EC2_INSTANCE_ID", INSTANCE_ID)
    monkeypatch.setenv("EC2_REGION", "us-east-1")
    return INSTANCE_ID


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file for a video source."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"video")
    return path


def planned(curate: Curate, *arguments: str) -> dict[str, Any]:
    """The plan as programs see it."""
    result = curate("run", *arguments, "--dry-run", "--json")
    assert result.exit_code == 0, result.stderr
    plan: dict[str, Any] = json.loads(result.stdout)
    return plan


def test_dry_run__changes_nothing(
    instance_id: str, clip: Path, ledger: Ledger, cloud: Cloud, curate: Curate
) -> None:
    """No run is written, and of the cloud it only asks how the instance is."""
    plan = planned(curate, str(clip), "--backend", "engine")

    assert ledger.runs.newest(9) == []
    assert {call["operation"] for call in cloud.calls()} == {"DescribeInstances"}
    assert (plan["instance_id"], plan["instance_state"]) == (instance_id, InstanceState.STOPPED)
    assert plan["video"] == f"{clip} (5 bytes)"


@pytest.mark.usefixtures("instance_id")
@pytest.mark.parametrize("backend", ["engine", "lightly"])
def test_dry_run__names_only_what_the_role_allows(backend: str, clip: Path, curate: Curate) -> None:
    """Each call to AWS stands in the policy of the role by the name that it has there."""
    policy = POLICY.read_text(encoding="utf-8")

    plan = planned(curate, str(clip), "--backend", backend)

    assert [step["step"] for step in plan["steps"]] == [name.value for name in StepName]
    named = {call["name"] for step in plan["steps"] for call in step["calls"]}
    of_aws = {name for name in named if name.startswith(("s3:", "ec2:", "ssm:"))}
    assert {name for name in of_aws if f'"{name}"' not in policy} == set()
    assert (backend == "lightly") == any(name.startswith("lightly:") for name in named)


def test_dry_run__takes_the_first_free_video_of_a_folder(
    ledger: Ledger, tmp_path: Path, curate: Curate
) -> None:
    """What a run would take is named, and is not taken."""
    assert ledger
    for name in ("b.mp4", "a.mp4"):
        (tmp_path / name).write_bytes(b"video")

    plans = [planned(curate, str(tmp_path)) for _ in range(2)]

    assert {plan["video"] for plan in plans} == {f"{tmp_path / 'a.mp4'} (5 bytes)"}


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("source", "video"),
    [
        ("pexels:popular", "one that Pexels offers when the run begins"),
        ("https://example.com/clip.mp4?token=canary", "https://example.com/clip.mp4"),
    ],
)
def test_dry_run__fetches_nothing(source: str, video: str, curate: Curate) -> None:
    """Nobody else is asked, and no secret of a link is shown."""
    plan = planned(curate, source)

    assert plan["video"].startswith(video)
    assert "canary" not in json.dumps(plan)


@pytest.mark.usefixtures("ledger")
def test_dry_run__an_instance_that_cannot_be_asked_is_no_error(
    clip: Path, curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan can be made where there is no account."""
    monkeypatch.setenv("EC2_INSTANCE_ID", INSTANCE_ID)
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:1")
    monkeypatch.setenv("EC2_REGION", "us-east-1")

    assert planned(curate, str(clip))["instance_state"].startswith("unknown: ")


@pytest.mark.usefixtures("instance_id")
def test_dry_run__shows_a_person_what_changes(clip: Path, curate: Curate) -> None:
    """Each call that changes something has a mark, and the others have none."""
    result = curate("run", str(clip), "--backend", "engine", "--dry-run")

    assert "* ec2:StartInstances" in result.stdout
    assert "  ec2:DescribeInstances" in result.stdout
    assert "nothing was enqueued" in result.stderr
