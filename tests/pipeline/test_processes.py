from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.doctor.check import Finding, Health
from curation.ledger import keys
from pipeline.processes import FLOWER_VARIABLES, ProcessChecks, wrong_celery_settings
from tests.support.doctor import found, new_wiring
from workers import reaper
from workers.base import wiring

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

OVERRIDE = "CELERY_BROKER_URL"


@pytest.fixture(autouse=True)
def broker(
    broker_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Redis]:
    """An empty broker, which nobody listens to; the process's wiring leads to it."""
    monkeypatch.setenv("REDIS_URL", broker_url)
    wiring.cache_clear()
    yield redis_client
    wiring.cache_clear()


def look(name: str) -> Finding:
    """Carries one check out."""
    checks = ProcessChecks(new_wiring()).all()
    return found([check for check in checks if check.name == name])[name]


def wrong() -> dict[str, Finding]:
    """Returns what is found in Celery's settings."""
    return {it.name: it for it in wrong_celery_settings(new_wiring())}


def test_waits__that_come_near_the_visibility_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait as long as a message stays hidden multiplies messages: a failure with its setting."""
    assert look("celery waits").state is Health.OK
    monkeypatch.setenv("POLL_INTERVAL_S", "800")

    finding = look("celery waits")

    assert finding.state is Health.FAIL
    assert finding.found.startswith("POLL_INTERVAL_S is 800 s")
    assert "VISIBILITY_TIMEOUT_S" in str(finding.mend)


@pytest.mark.parametrize(
    ("backend", "queues"),
    [
        ("lightly", "ingest,compute,selection,reaper"),
        ("engine", "ingest,compute,selection,reaper,engine"),
    ],
)
def test_workers__none_is_a_warning_with_the_command(
    backend: str, queues: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each queue that nobody takes from is named; our engine's, if it is to run here."""
    monkeypatch.setenv("SELECTION_BACKEND", backend)

    finding = look("celery workers")

    assert finding.state is Health.WARN
    assert str(finding.mend).endswith(f"celery -A pipeline worker -Q {queues}")


def test_beat__is_seen_by_the_reapers_rounds(
    broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No round yet, or none for long, is a warning; a round a moment ago means that all is well."""
    monkeypatch.setenv("REAP_INTERVAL_S", "1")
    never = look("celery beat")
    reaper.reap()
    now = look("celery beat")
    broker.hset(keys.REAPER, "last_round_at", "1.0")
    late = look("celery beat")

    assert [it.state for it in (never, now, late)] == [Health.WARN, Health.OK, Health.WARN]
    assert "celery -A pipeline beat" in str(never.mend)


def test_beat__is_seen_although_ec2_refuses(broker: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that could not do all it should is a round nevertheless."""
    monkeypatch.setenv("EC2_INSTANCE_ID", "i-0123456789abcdef0")
    monkeypatch.setenv("SCRIPT_PATH", "not absolute")

    reaper.reap()

    assert broker.hexists(keys.REAPER, "last_round_at")


@pytest.mark.parametrize(
    ("login", "state"),
    [
        ("", Health.WARN),
        ("canary", Health.FAIL),
        (":canary", Health.FAIL),
        ("me:canary", Health.OK),
    ],
)
def test_flower__needs_a_password(
    login: str, state: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flower is not needed, but what is set must be user and password; neither is shown."""
    monkeypatch.setenv("FLOWER_BASIC_AUTH", login)

    finding = look("flower password")

    assert finding.state is state
    assert "canary" not in str(finding)


@pytest.mark.parametrize("cron", ["often", "99 * * * *", "* * *"])
def test_schedule__that_is_none(cron: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule that Celery cannot read fails, and keeps the others from being checked."""
    monkeypatch.setenv("SCHEDULE_CRON", cron)

    finding = wrong()["setting SCHEDULE_CRON"]
    others = [look(name) for name in ("celery waits", "celery workers")]

    assert finding.state is Health.FAIL
    assert repr(cron) in finding.found
    assert {it.mend for it in others} == {"Mend 'setting SCHEDULE_CRON' first."}


@pytest.mark.parametrize("cron", ["", "0 4 * * mon-fri"])
def test_schedule__that_is_one(cron: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No schedule, and one in cron's syntax, are well."""
    monkeypatch.setenv("SCHEDULE_CRON", cron)

    assert wrong() == {}


def test_override__that_leads_astray(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery takes its own variable before ours; that is harmless only if both say the same."""
    monkeypatch.setenv(OVERRIDE, broker_url)
    same = wrong()
    monkeypatch.setenv(OVERRIDE, "redis://:canary@127.0.0.1/1")
    other = wrong()

    assert same == {}
    assert other[f"setting {OVERRIDE}"].state is Health.FAIL
    assert "canary" not in str(other)


def test_flowers_variables__are_known() -> None:
    """Flower reads its options from the environment too, so they are not misspelt."""
    assert {"FLOWER_PORT", "FLOWER_ADDRESS", "FLOWER_URL_PREFIX"} <= FLOWER_VARIABLES


def test_processes__with_settings_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs a malformed setting is not checked; what does not, is."""
    monkeypatch.setenv("POLL_INTERVAL_S", "often")

    beat, flower = look("celery beat"), look("flower password")

    assert beat.mend == "Mend 'setting POLL_INTERVAL_S' first."
    assert flower.found.startswith("Flower does not start")
    assert wrong() == {}
