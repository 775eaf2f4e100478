"""The hosted service's language is understood, and mistakes in it are named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.selection_config import diverse, load_config, parse_config

if TYPE_CHECKING:
    from pathlib import Path

EMBEDDINGS = {"type": "EMBEDDINGS"}
SHARPNESS = {"type": "METADATA", "key": "lightly.sharpness"}
DIVERSITY = {"input": EMBEDDINGS, "strategy": {"type": "DIVERSITY"}}
CONFIG = {"n_samples": 5, "strategies": [DIVERSITY]}


def entry(strategy: dict[str, Any], source: dict[str, Any] = SHARPNESS) -> dict[str, Any]:
    """Returns a config of one strategy."""
    return {"strategies": [{"input": source, "strategy": strategy}]}


def test_parse_config__is_what_was_written() -> None:
    """Nothing is added to the config and nothing is lost, as a mapping or as JSON."""
    assert parse_config(CONFIG).to_dict() == CONFIG
    assert parse_config(json.dumps(CONFIG)) == parse_config(CONFIG)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{", "selection_config is not JSON: "),
        ([], "selection_config is []: "),
        ({"strategies": []}, "selection_config: strategies is empty: give at least one"),
        ({"n_samples": 3}, "selection_config.strategies is missing"),
        (CONFIG | {"n_samples": 0}, "selection_config.n_samples is 0: "),
        (
            entry({"type": "BALANCE", "target": {}}),
            "selection_config.strategies[0].strategy: distribution TARGET and target {} do not fit",
        ),
        (
            CONFIG | {"proportion_samples": 0.1},
            "n_samples 5 and proportion_samples 0.1 ",
        ),
        (CONFIG | {"n_sample": 3}, "n_sample is not known here. Did you mean 'n_samples'?"),
        (
            entry({"type": "DIVERSTY"}),
            (
                "selection_config.strategies[0].strategy.type is 'DIVERSTY'; expected is one of "
                "DIVERSITY, TYPICALITY, WEIGHTS, THRESHOLD, BALANCE, SIMILARITY. "
                "Did you mean 'DIVERSITY'?"
            ),
        ),
        (
            entry({"type": "CORESET"}),
            (
                "strategy.type is 'CORESET'; expected is one of "
                "DIVERSITY, TYPICALITY, WEIGHTS, THRESHOLD, BALANCE, SIMILARITY"
            ),
        ),
        (
            entry({"type": "WEIGHTS", "strenth": 1}),
            (
                "selection_config.strategies[0].strategy.strenth is not known here. "
                "Did you mean 'strength'?"
            ),
        ),
        (
            entry({"type": "THRESHOLD", "threshold": "high", "operation": "BIGGER"}),
            "selection_config.strategies[0].strategy.threshold is 'high': ",
        ),
        (
            entry({"type": "THRESHOLD", "threshold": 1, "operation": "LARGER"}),
            (
                "selection_config.strategies[0].strategy.operation is 'LARGER'; expected is "
                "'SMALLER', 'SMALLER_EQUAL', 'BIGGER' or 'BIGGER_EQUAL'"
            ),
        ),
        (entry({"type": "WEIGHTS"}, {}), "selection_config.strategies[0].input.type is missing"),
        (
            entry({"type": "DIVERSITY"}),
            "selection_config.strategies[0]: the strategy DIVERSITY takes EMBEDDINGS, not METADATA",
        ),
        (entry({"type": "BALANCE"}), "distribution TARGET and target None do not fit"),
        (
            entry({"type": "BALANCE", "distribution": "UNIFORM", "target": {"a": 0.1}}),
            "distribution UNIFORM and target {'a': 0.1} do not fit",
        ),
        (entry({"type": "BALANCE", "target": {"a": 0.7, "b": 0.7}}), "are more than 1 in all"),
        (entry({"type": "WEIGHTS", "strength": float("nan")}), ".strength is nan: "),
        (entry({"type": "WEIGHTS", "strength": 2e9}), ".strength is 2000000000.0: "),
    ],
)
def test_parse_config__names_the_mistake(value: object, expected: str) -> None:
    """A mistake is told with its path, what was found, and what may have been meant."""
    with pytest.raises(ValueError, match="selection_config") as caught:
        parse_config(value)

    assert expected in str(caught.value)


def test_parse_config__names_all_mistakes() -> None:
    """Nobody has to find out one mistake after the other."""
    with pytest.raises(ValueError, match="selection_config") as caught:
        parse_config({"n_samples": 0, "strategies": [DIVERSITY, {"input": EMBEDDINGS}]})

    assert str(caught.value).split("; ") == [
        "selection_config.n_samples is 0: input should be greater than or equal to 1",
        "selection_config.strategies[1].strategy is missing",
    ]


def test_load_config__a_file_or_json(tmp_path: Path) -> None:
    """What begins with a brace is the config itself, anything else the path of its file."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIG), encoding="utf-8")

    assert load_config(str(file)) == load_config(" " + json.dumps(CONFIG)) == parse_config(CONFIG)


def test_load_config__no_file(tmp_path: Path) -> None:
    """A path that leads nowhere is named."""
    with pytest.raises(ValueError, match=r"none.json' cannot be read \(No such file"):
        load_config(str(tmp_path / "none.json"))


def test_diverse__is_the_default_of_the_hosted_service() -> None:
    """Without a config, a run asks for diversity by embedding."""
    assert diverse(0.1).to_dict() == {"proportion_samples": 0.1, "strategies": [DIVERSITY]}


@pytest.mark.parametrize(
    ("n_frames", "proportion", "expected"),
    [
        (250, 0.1, 25),
        (1, 0.1, 1),
        (4, 0.1, 1),
        (15, 0.1, 2),
        (14, 0.1, 1),
        (25, 0.1, 3),
        (50, 0.29, 15),
        (3, 1.0, 3),
        (100_000, 1e-06, 1),
    ],
)
def test_n_of__rounds_half_up(n_frames: int, proportion: float, expected: int) -> None:
    """The share is rounded half up as in decimal, and one frame is always chosen."""
    assert expected == diverse(proportion).n_of(n_frames)


@given(n=st.integers(1, 500_000), proportion=st.floats(0, 1, exclude_min=True))
def test_n_of__is_between_one_and_all(n: int, proportion: float) -> None:
    """No share chooses none, or more than there are."""
    assert 1 <= diverse(proportion).n_of(n) <= n


@pytest.mark.parametrize(("asked", "expected"), [(7, 7), (300, 250)])
def test_n_of__a_number_of_frames(asked: int, expected: int) -> None:
    """A number is that number, or all if there are fewer."""
    config = parse_config({"n_samples": asked, "strategies": [DIVERSITY]})

    assert expected == config.n_of(250)
