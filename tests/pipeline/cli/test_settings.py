from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from curation.settings import GROUPS, variables
from tests.support.cli import start

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Curate

CANARY = "canary-5f0c2d81"


@pytest.fixture(autouse=True)
def _buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    for group in GROUPS:
        for name in variables(group):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("S3_INPUT_BUCKET", "s3://bucket/in/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", "s3://bucket/out/")


def shown(text: str) -> dict[str, dict[str, Any]]:
    """The items of a JSON document by name."""
    return {item["name"]: item for item in json.loads(text)["items"]}


def test_settings__has_all_with_value_origin_and_meaning(
    curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every setting is there in order, with what it is now and where that comes from."""
    monkeypatch.setenv("POLL_INTERVAL_S", "7")

    result = curate("settings", "--json")

    items = shown(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert list(items) == [name for group in GROUPS for name in variables(group)]
    assert items["POLL_INTERVAL_S"] == {
        "group": "How a run goes: what it selects, how often it looks, how long it may take",
        "name": "POLL_INTERVAL_S",
        "value": "7",
        "origin": "environment",
        "meaning": "Seconds between looks at a selection run",
        "problem": None,
    }
    assert items["REDIS_URL"]["value"] == "redis://127.0.0.1:6379/0"
    assert items["REDIS_URL"]["origin"] == "default"


def test_settings__shows_no_secret(curate: Curate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is masked, whether it can be used or not."""
    monkeypatch.setenv("LIGHTLY_TOKEN", CANARY)
    monkeypatch.setenv("REDIS_URL", f"http://:{CANARY}@example.com")

    for result in (curate("settings"), curate("settings", "--json")):
        assert CANARY not in result.stdout + result.stderr
        assert "********" in result.stdout
        assert "REDIS_URL: its value is not usable" in result.stderr


def test_settings__says_all_that_is_wrong_at_once(
    curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be used is 2, with all faults of all groups; the rest is shown as it is."""
    monkeypatch.setenv("LEASE_TTL_S", "soon")
    monkeypatch.setenv("WEB_PORT", "0")
    monkeypatch.delenv("S3_INPUT_BUCKET")
    monkeypatch.setenv("S3_INPUT_BUKET", "s3://bucket/in/")

    result = curate("settings", "--json")

    said = result.stderr.splitlines()
    assert result.exit_code == 2
    assert [line.split()[1] for line in said if line.startswith("Error: ")] == [
        "S3_INPUT_BUCKET",
        "LEASE_TTL_S:",
        "WEB_PORT:",
    ]
    assert "S3_INPUT_BUKET is set: did you mean S3_INPUT_BUCKET?" in result.stderr
    assert "'soon' is not usable" in shown(result.stdout)["LEASE_TTL_S"]["problem"]
    assert shown(result.stdout)["RUN_DEADLINE_S"]["problem"] is None


def test_settings__warns_of_a_misspelt_name(
    curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that nobody reads is named with the one that was meant; it is no fault."""
    monkeypatch.setenv("LEASE_TTL", CANARY)

    result = curate("settings")

    assert result.exit_code == 0
    assert "Warning: LEASE_TTL is set, but there is no such setting." in result.stderr
    assert "Did you mean LEASE_TTL_S?" in result.stderr
    assert CANARY not in result.stderr


def test_settings__names_the_file(tmp_path: Path) -> None:
    """What a `.env` has set is told from the environment, which wins; misspelt names count too."""
    file = tmp_path / ".env"
    file.write_text("POLL_INTERVAL_S=9\nLEASE_TTL_S=9\nPOLL_INTERVALL_S=9\n", encoding="utf-8")
    process = start(
        "settings",
        "--json",
        cwd=tmp_path,
        variables={"PYTHON_DOTENV_DISABLED": "0", "LEASE_TTL_S": "8"},
    )

    stdout, stderr = process.communicate(timeout=60)

    items = shown(stdout)
    assert (items["POLL_INTERVAL_S"]["value"], items["LEASE_TTL_S"]["value"]) == ("9", "8")
    assert items["POLL_INTERVAL_S"]["origin"] == str(file)
    assert items["LEASE_TTL_S"]["origin"] == "environment"
    assert "Did you mean POLL_INTERVAL_S?" in stderr


def test_settings__a_schedule_that_is_none_is_2(
    curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only Celery can judge is said here too."""
    monkeypatch.setenv("SCHEDULE_CRON", "nightly")

    result = curate("settings")

    assert result.exit_code == 2
    assert "Error: SCHEDULE_CRON: 'nightly' is no schedule." in result.stderr
