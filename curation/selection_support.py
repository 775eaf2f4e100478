"""What our own engine does of the selection config; the rest it refuses, each with a sentence."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from curation.errors import RequestError
from curation.selection_config import (
    Balance,
    Diversity,
    Embeddings,
    Metadata,
    Random,
    Similarity,
    Threshold,
    Typicality,
    Weights,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.selection_config import Entry, SelectionConfig

# What is known of each frame, by its key in the config.
METADATA = ("sharpness", "luminance", "timestamp_s")
# The hosted service's prefix of what it measures itself.
_PREFIX = "lightly."
_RANGE = ".."
# The distance of opposite directions.
_FARTHEST = 2.0


def metadata_name(key: str) -> str:
    """Returns which of `METADATA` a key means: `lightly.sharpness` is `sharpness`."""
    return key.removeprefix(_PREFIX)


def class_bounds(name: str) -> tuple[float, float]:
    """Returns the bounds of a class of numbers: `0..60` holds 0 and all up to 60, but not 60.

    Raises:
        ValueError: If it is no such class.
    """
    low, _, high = name.partition(_RANGE)
    bounds = float(low), float(high)
    if not bounds[0] < bounds[1]:
        raise ValueError(f"{name!r} holds nothing")
    return bounds


def check_engine(config: SelectionConfig) -> None:
    """Refuses what the engine would have to ignore.

    Raises:
        RequestError: If there is any; all of them are named.
    """
    refusals = list(_refusals(config))
    if refusals:
        raise RequestError(" ".join(refusals), code="request:selection-config")


def query_datapools(config: SelectionConfig) -> list[str]:
    """Returns the names of the datapools whose frames the config asks to be like."""
    return [
        entry.input.dataset_id
        for entry in config.strategies
        if isinstance(entry.input, Embeddings) and entry.input.dataset_id
    ]


def _refusals(config: SelectionConfig) -> Iterator[str]:
    for number, entry in enumerate(config.strategies):
        path = f"selection_config.strategies[{number}]"
        yield from _of_input(f"{path}.input", entry)
        yield from _of_strategy(f"{path}.strategy", entry)
    types = [entry.strategy.type for entry in config.strategies]
    if types.count("DIVERSITY") > 1:
        yield "selection_config.strategies has DIVERSITY twice. Give it once, with a strength."
    if set(types) == {"THRESHOLD"}:
        yield (
            "selection_config.strategies has THRESHOLD alone, which says what is not chosen, "
            "but not what is. Add DIVERSITY."
        )


def _of_input(path: str, entry: Entry) -> Iterator[str]:
    match entry.input:
        case Metadata(key=key) if metadata_name(key) not in METADATA:
            nearest = get_close_matches(metadata_name(key), METADATA, n=1)
            hint = f"Did you mean {nearest[0]!r}?" if nearest else ""
            known = ", ".join(METADATA)
            yield f"{path}.key is {key!r}; the engine knows {known} of each frame. {hint}".strip()
        case Embeddings(task=str(task)):
            yield f"{path}.task is {task!r}, but the engine finds no objects. Leave it out."
        case Embeddings(tag_name=str(tag)):
            yield f"{path}.tag_name is {tag!r}, but a datapool has no tags. Leave it out."
        case Embeddings(dataset_id=None) if isinstance(entry.strategy, Similarity):
            yield f"{path}.dataset_id is missing: the name of the datapool to be like."
        case Embeddings(dataset_id=str(name)) if not isinstance(entry.strategy, Similarity):
            yield f"{path}.dataset_id is {name!r}, but only SIMILARITY takes one. Leave it out."
        case Random(random_seed=int(seed)) if seed < 0:
            yield f"{path}.random_seed is {seed}; the engine's dice take 0 and all above."
        case Metadata() | Embeddings() | Random():
            return
        case other:
            yield (
                f"{path}.type is {other.type}, but the engine makes no predictions. "
                f"Use the backend lightly, or EMBEDDINGS, METADATA or RANDOM."
            )


def _of_strategy(path: str, entry: Entry) -> Iterator[str]:
    match entry.strategy:
        case Diversity(stopping_condition_minimum_distance=float(value)) if value > _FARTHEST:
            yield (
                f"{path}.stopping_condition_minimum_distance is {value:g}, but no frames are "
                f"farther from each other than {_FARTHEST:g}."
            )
        case Weights(stopping_condition_max_sum=float(value)):
            yield f"{path}.stopping_condition_max_sum is {value:g}; the engine cannot stop by it."
        case Weights(target_range=target) if target is not None:
            yield f"{path}.target_range is given; the engine cannot keep to it."
        case Typicality(stopping_condition_minimum_typicality=float(value)):
            yield (
                f"{path}.stopping_condition_minimum_typicality is {value:g}; "
                "the engine cannot stop by it."
            )
        case Balance(target=dict(target)) if isinstance(entry.input, Metadata):
            for name in target:
                yield from _of_class(f"{path}.target", name)
        case Balance() | Diversity() | Similarity() | Threshold() | Typicality() | Weights():
            return


def _of_class(path: str, name: str) -> Iterator[str]:
    try:
        class_bounds(name)
    except ValueError:
        yield (
            f"{path} has the class {name!r}; the engine's metadata are numbers, and a class of "
            "them is written LOW..HIGH, e.g. '0..60'."
        )
