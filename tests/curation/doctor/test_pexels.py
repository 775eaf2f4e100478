from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.doctor.check import Health
from curation.doctor.pexels import pexels_checks
from tests.support.doctor import found, new_wiring
from tests.support.pexels import KEY, pexels_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.pexels import Pexels


@pytest.fixture
def pexels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pexels]:
    """Pexels, as the settings name it."""
    with pexels_server(tmp_path) as server:
        monkeypatch.setenv("PEXELS_API_URL", server.url)
        monkeypatch.setenv("PEXELS_API_KEY", KEY)
        yield server


def test_pexels__nothing_when_all_is_well(pexels: Pexels) -> None:
    """One request shows that the key is accepted."""
    finding = found(pexels_checks(new_wiring()))["pexels key"]

    assert finding.state is Health.OK
    assert len(pexels.calls()) == 1


@pytest.mark.usefixtures("pexels")
@pytest.mark.parametrize("key", ["", "canary"])
def test_pexels__key_missing_or_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a good key the setting is named, and nothing of the key is shown."""
    monkeypatch.setenv("PEXELS_API_KEY", key)

    finding = found(pexels_checks(new_wiring()))["pexels key"]

    assert finding.state is Health.FAIL
    assert "PEXELS_API_KEY" in f"{finding.found} {finding.mend}"
    assert "canary" not in str(finding)


@pytest.mark.parametrize(("source", "n"), [("/videos", 0), ("pexels:nonsense", 1)])
def test_pexels__is_not_asked_for_other_sources(
    source: str, n: int, pexels: Pexels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A video source of another kind needs no key; one of no kind has to be set right first."""
    monkeypatch.setenv("VIDEO_SOURCE", source)

    findings = found(pexels_checks(new_wiring()))

    assert [it.mend for it in findings.values()] == ["Mend 'setting VIDEO_SOURCE' first."] * n
    assert pexels.calls() == []
