"""A selection config reaches the run from a file, a setting or Python, and is refused early."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import pipeline
from curation.errors import OperatorError, RequestError
from curation.models import RunRequest
from curation.selection_config import parse_config
from curation.states import Backend, Outcome
from tests.support.cli import end

if TYPE_CHECKING:
    from pathlib import Path

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate

DIVERSITY = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
CONFIG: dict[str, Any] = {"n_samples": 5, "strategies": [DIVERSITY]}
SCORES = {
    "input": {"type": "SCORES", "task": "cars", "score": "entropy"},
    "strategy": {"type": "WEIGHTS"},
}


def request(config: object, **fields: Any) -> RunRequest:  # noqa: ANN401  # any field of a request
    """Returns a request to the engine."""
    fields = {"source": "/clip.mp4", "selection_backend": "engine"} | fields
    return RunRequest.model_validate(fields | {"selection_config": config})


def test_run__takes_a_file(curate: Curate, ledger: Ledger, tmp_path: Path) -> None:
    """The config is in the status object as it was written, and people see its amount."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIG), encoding="utf-8")

    result = curate("run", "/clip.mp4", "--selection-config", str(file), "--json")

    printed = json.loads(result.stdout)
    assert printed["request"]["selection_config"] == CONFIG
    assert ledger.runs.get(printed["run_id"]).request.config == parse_config(CONFIG)
    assert "5 frames, by" in curate("status", printed["run_id"]).stdout


@pytest.mark.usefixtures("ledger")
def test_run__names_a_mistake_in_the_file(curate: Curate, tmp_path: Path) -> None:
    """A mistake in the file is wrong usage, and is named with its path in the config."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIG | {"n_sample": 5}), encoding="utf-8")

    result = curate("run", "/clip.mp4", "--selection-config", str(file))

    assert result.exit_code == 2
    assert "selection_config.n_sample is not known here" in result.stderr


@pytest.mark.usefixtures("ledger")
def test_enqueue__takes_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a config of its own, a run has that of the settings, and its share beside it."""
    setting = {"strategies": [{**DIVERSITY, "strategy": {"type": "DIVERSITY", "strength": 2.0}}]}
    monkeypatch.setenv("SELECTION_CONFIG", json.dumps(setting))
    pipeline.client.settings.cache_clear()

    run_id = pipeline.enqueue(
        RunRequest(source="/clip.mp4", proportion_samples=0.2, selection_backend=Backend.ENGINE)
    )

    config = pipeline.status(run_id).request.config
    assert config.to_dict() == setting | {"proportion_samples": 0.2}


@pytest.mark.usefixtures("ledger")
def test_enqueue__names_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in the setting is the operator's, and names the variable."""
    monkeypatch.setenv("SELECTION_CONFIG", "none.json")
    pipeline.client.settings.cache_clear()

    with pytest.raises(OperatorError, match=r"SELECTION_CONFIG: .*none.json' cannot be read"):
        pipeline.enqueue(RunRequest(source="/clip.mp4"))


def test_enqueue__refuses_what_the_engine_cannot_do(ledger: Ledger) -> None:
    """Before anything is written; the hosted service is asked for it."""
    config = {"strategies": [SCORES]}

    with pytest.raises(RequestError, match="the engine makes no predictions"):
        pipeline.enqueue(request(config))

    assert ledger.runs.newest(1) == []
    run_id = pipeline.enqueue(request(config, selection_backend="lightly"))
    assert pipeline.status(run_id).request.config.strategies[0].input.type == "SCORES"


@pytest.mark.usefixtures("ledger")
def test_enqueue__refuses_two_amounts() -> None:
    """Neither of two amounts is silently ignored."""
    with pytest.raises(RequestError, match=r"proportion_samples is 0.2, but .* asks for 5"):
        pipeline.enqueue(request(CONFIG, proportion_samples=0.2))


@pytest.mark.usefixtures("ledger")
def test_enqueue__same_key_with_another_config() -> None:
    """A key belongs to one config."""
    first = pipeline.enqueue(request(CONFIG, idempotency_key="k"))

    assert pipeline.enqueue(request(CONFIG, idempotency_key="k")) == first
    with pytest.raises(RequestError, match="idempotency key 'k' belongs to run"):
        pipeline.enqueue(request(CONFIG | {"n_samples": 6}, idempotency_key="k"))


def test_resume__keeps_the_config(ledger: Ledger) -> None:
    """Whoever runs again, runs the same."""
    run_id = pipeline.enqueue(request(CONFIG))
    end(ledger, run_id, Outcome.FAILED)

    again = pipeline.resume(run_id)

    assert pipeline.status(again).request.config == parse_config(CONFIG)
