from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.doctor.check import Health
from curation.doctor.engine import engine_checks
from tests.support.doctor import found, new_wiring

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings by which our engine selects on this machine, and where it keeps its network."""
    monkeypatch.setenv("SELECTION_BACKEND", "engine")
    monkeypatch.setenv("ENGINE_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_engine__nothing_when_all_is_well(cache: Path) -> None:
    """The check converts the network, so that the first video need not wait for it."""
    finding = found(engine_checks(new_wiring()))["engine"]

    assert finding.state is Health.OK
    assert [path.suffix for path in cache.iterdir()] == [".model"]


def test_engine__that_cannot_keep_its_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written is a failure that names the setting."""
    (cache / "file").touch()
    monkeypatch.setenv("ENGINE_CACHE_DIR", str(cache / "file"))

    finding = found(engine_checks(new_wiring()))["engine"]

    assert finding.state is Health.FAIL
    assert "ENGINE_CACHE_DIR" in str(finding.mend)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SELECTION_BACKEND", "lightly"), ("EC2_INSTANCE_ID", "i-0123456789abcdef0")],
)
def test_engine__is_not_needed_here(
    variable: str, value: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody else selects, or the instance does the work, nothing is loaded."""
    monkeypatch.setenv(variable, value)

    assert found(engine_checks(new_wiring())) == {}
    assert list(cache.iterdir()) == []
