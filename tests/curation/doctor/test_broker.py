from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from curation.doctor.broker import BrokerChecks
from curation.doctor.check import Finding, Health
from curation.settings import Settings
from tests.support.doctor import found
from tests.support.servers import valkey_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis


@pytest.fixture
def redis(valkey: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """A client of the Redis that the settings name; what a test configures is put back."""
    monkeypatch.setenv("REDIS_URL", valkey)
    yield redis_client
    redis_client.config_set("maxmemory-policy", "noeviction")
    redis_client.acl_deluser("guest")


def findings() -> dict[str, Finding]:
    """Returns what is found."""
    return found(BrokerChecks(Settings()).all())


def test_broker__nothing_when_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that keeps what it is given is named with its version."""
    with valkey_server("--dir", str(tmp_path), "--appendonly", "yes") as url:
        monkeypatch.setenv("REDIS_URL", url)

        first, *rest = findings().values()

    assert first.found.startswith("Valkey ")
    assert "127.0.0.1:" in first.found
    assert [it.state for it in (first, *rest)] == [Health.OK] * 3


@pytest.mark.usefixtures("redis")
def test_broker__no_append_only_file_is_a_warning() -> None:
    """A server that forgets everything when it restarts is told, with the command."""
    finding = findings()["redis persistence"]

    assert finding.state is Health.WARN
    assert "CONFIG SET appendonly yes" in str(finding.mend)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_broker__that_evicts_is_a_failure(policy: str, redis: Redis) -> None:
    """A server that throws keys away to save memory loses messages, leases and runs."""
    redis.config_set("maxmemory-policy", policy)

    finding = findings()["redis eviction"]

    assert finding.state is Health.FAIL
    assert policy in finding.found
    assert "maxmemory-policy noeviction" in str(finding.mend)


def test_broker__that_may_not_be_asked_is_not_known(
    redis: Redis, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where INFO is not permitted, version, persistence and policy stay unknown; that is no end."""
    redis.acl_setuser("guest", enabled=True, passwords=["+canary"], keys=["*"], commands=["+time"])
    monkeypatch.setenv("REDIS_URL", valkey.replace("//", "//guest:canary@"))

    found = findings()

    assert [it.state for it in found.values()] == [Health.OK, Health.WARN, Health.WARN]
    assert "canary" not in str(found)


def test_broker__away_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody there, that is one failure; what hangs on it is not checked."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("REDIS_URL", f"redis://:canary@127.0.0.1:{free.getsockname()[1]}/0")

        found = findings()

    assert [it.state for it in found.values()] == [Health.FAIL, Health.WARN, Health.WARN]
    assert "REDIS_URL" in str(found["redis"].mend)
    assert found["redis eviction"].mend == "Mend 'redis' first."
    assert "canary" not in str(found)


@pytest.mark.usefixtures("redis")
def test_broker__that_refuses_the_login_is_a_failure(
    valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong password is told without showing it."""
    monkeypatch.setenv("REDIS_URL", valkey.replace("//", "//nobody:canary@"))

    found = findings()

    assert found["redis"].state is Health.FAIL
    assert "canary" not in str(found)
