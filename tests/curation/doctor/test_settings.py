from __future__ import annotations

import pytest

from curation.doctor.check import Finding, Health
from curation.doctor.settings import right_settings, wrong_settings
from tests.support.doctor import new_wiring

GOOD = {
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "S3_INPUT_BUCKET": "s3://input/videos/",
    "S3_LIGHTLY_BUCKET": "s3://lightly/results/",
    "S3_REGION": "eu-central-1",
    "S3_ROLE_ARN": "arn:aws:iam::123456789012:role/lightly",
    "S3_EXTERNAL_ID": "external-id-of-the-role",
    "EC2_INSTANCE_ID": "i-0123456789abcdef0",
    "LIGHTLY_TOKEN": "canary",
    "LIGHTLY_DATASET_NAME": "videos of {run_id}",
}


@pytest.fixture(autouse=True)
def good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with which nothing is wrong."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def wrong(environment: dict[str, str]) -> dict[str, Finding]:
    """Returns what is found in the settings in force, and in the names of an environment."""
    found = wrong_settings(new_wiring(), environment, known={"FLOWER_PORT"})
    return {finding.name.removeprefix("setting "): finding for finding in found}


def test_wrong_settings__nothing_when_all_is_well() -> None:
    """Settings that can be used are no finding, but are counted."""
    environment = {**GOOD, "PATH": "/bin", "AWS_REGION": "x", "LIGHTLY_CA_CERTS": "x"}

    assert wrong({**environment, "FLOWER_PORT": "5555", "s3_region": "x"}) == {}
    assert right_settings(environment).found.startswith(f"{len(GOOD)} of ")


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("LIGHTLY_TOKN", "LIGHTLY_TOKEN"),
        ("S3_INPUT_BUCKTE", "S3_INPUT_BUCKET"),
        ("PEXELS_KEY", "PEXELS_API_KEY"),
        ("EC2_INSTANCE", "EC2_INSTANCE_ID"),
        ("REDIS_URI", "REDIS_URL"),
        ("SSM_DOC", "SSM_DOCUMENT"),
        ("FLOWER_BASICAUTH", "FLOWER_BASIC_AUTH"),
        ("POLL_INTERVAL", "POLL_INTERVAL_S"),
        ("PROPORTION_SAMPLE", "PROPORTION_SAMPLES"),
        ("SCRIPTPATH", "SCRIPT_PATH"),
        ("lease_ttl", "LEASE_TTL_S"),
    ],
)
def test_wrong_settings__name_the_nearest(name: str, similar: str) -> None:
    """A name that looks like ours is told with the nearest that is, and without its value."""
    finding = wrong({name: "canary"})[name]

    assert finding.state is Health.WARN
    assert f"Did you mean {similar}?" in str(finding.mend)
    assert "canary" not in str(finding)


@pytest.mark.parametrize("name", ["HOSTNAME", "TERM_PROGRAM", "AWS_INPUT_BUCKET", "RUNNER_ID"])
def test_wrong_settings__leave_other_programs_alone(name: str) -> None:
    """Names that are hardly meant to be ours are none of our business."""
    assert wrong({name: "x"}) == {}


def test_wrong_settings__an_empty_one_is_none() -> None:
    """An empty variable is not set, whatever its name."""
    assert wrong({"LIGHTLY_TOKN": ""}) == {}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("S3_INPUT_BUCKET", "", "is not set"),
        ("S3_INPUT_BUCKET", "input", "s3://bucket/prefix/"),
        ("POLL_INTERVAL_S", "often", "'often'"),
        ("VIDEO_SOURCE", "ftp://example.com", "no known kind"),
        ("LIGHTLY_TOKEN", "", "is not set"),
        ("LIGHTLY_DATASET_NAME", "a/b", "'a/b'"),
        ("S3_ROLE_ARN", "lightly", "arn:aws:iam::"),
        ("S3_EXTERNAL_ID", "canary", "6 characters"),
        ("REDIS_URL", "http://:canary@127.0.0.1", "redis://"),
    ],
)
def test_wrong_settings__say_what_is_expected(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing or malformed variable fails, with what to do, and a secret is not shown."""
    monkeypatch.setenv(name, value)

    findings = wrong({})

    assert list(findings) == [name]
    assert findings[name].state is Health.FAIL
    assert words in f"{findings[name].found} {findings[name].mend}"
    assert findings[name].mend
    assert "canary" not in str(findings[name])


def test_wrong_settings__of_several_groups_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable that cannot be used does not hide another one."""
    for name in ("S3_LIGHTLY_BUCKET", "LIGHTLY_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("EC2_INSTANCE_ID", "my-machine")

    assert list(wrong({})) == ["S3_LIGHTLY_BUCKET", "EC2_INSTANCE_ID", "LIGHTLY_TOKEN"]


def test_wrong_settings__doubt_what_hosted_lightly_may_not_like(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No instance, and looks more often than the service may bear, are allowed but told."""
    monkeypatch.delenv("EC2_INSTANCE_ID")
    monkeypatch.setenv("POLL_INTERVAL_S", "5")

    findings = wrong({})

    assert {name: finding.state for name, finding in findings.items()} == {
        "EC2_INSTANCE_ID": Health.WARN,
        "POLL_INTERVAL_S": Health.WARN,
    }


def test_wrong_settings__our_engine_needs_none_of_lightlys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What only the hosted service needs may be missing where it does not select."""
    monkeypatch.setenv("SELECTION_BACKEND", "engine")
    for name in ("LIGHTLY_TOKEN", "LIGHTLY_DATASET_NAME", "S3_ROLE_ARN", "EC2_INSTANCE_ID"):
        monkeypatch.delenv(name)

    assert wrong({}) == {}
