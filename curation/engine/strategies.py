"""Turns the strategies of a selection config into numbers for each frame."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.greedy import View, blocks, nearest, to_distance
from curation.errors import SelectionFailed
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
from curation.selection_support import class_bounds, metadata_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from curation.engine.frames import Frames
    from curation.engine.greedy import Floats, Ints
    from curation.selection_config import Entry, SelectionConfig

    Masks = NDArray[np.bool_]

_OPERATIONS = {
    "SMALLER": operator.lt,
    "SMALLER_EQUAL": operator.le,
    "BIGGER": operator.gt,
    "BIGGER_EQUAL": operator.ge,
}
# Classes that numbers are divided into when the config names none.
_N_CLASSES = 10
# Typicality is measured against at most so many frames, evenly spread: all of them would be
# quadratic, and in a video the neighbours of a frame are mostly the frames beside it.
_MOST_NEIGHBOURS = 8192
_TYPICALITY_BLOCK = 512


@dataclass(frozen=True, eq=False)
class Balancing:
    """Shares of classes to come near to.

    Attributes:
        classes: Share of each class in each frame, shape (N, C), float32.
        target: Share of each class in what is chosen, shape (C,), float32.
        strength: Exponent of the objective.
    """

    classes: Floats
    target: Floats
    strength: float


@dataclass(frozen=True, eq=False)
class Objectives:
    """What is to be had of N frames; their objectives, to the power of the strengths, multiply.

    Attributes:
        diversity: How much the distances count, and when they end the choice; None: not at all.
        weights: Numbers of the frames, shape (N,), not negative, each with its strength.
        balances: Shares of classes.
    """

    diversity: Diversity | None
    weights: Sequence[tuple[Floats, float]]
    balances: Sequence[Balancing]

    @property
    def spreads(self) -> bool:
        """Whether frames that differ are better than frames that are alike."""
        return self.diversity is not None and self.diversity.strength > 0

    @property
    def is_plain(self) -> bool:
        """Whether that is all."""
        return self.spreads and not self.weights and not self.balances

    @property
    def min_distance(self) -> float:
        """Distance below which nothing more is chosen; 0: none."""
        found = self.diversity and self.diversity.stopping_condition_minimum_distance
        return found or 0.0

    def score(self, n: int) -> Floats:
        """Returns the product of all weights of the N frames, as a logarithm, shape (N,)."""
        total = np.zeros(n, np.float32)
        for values, strength in self.weights:
            total += strength * np.log(np.maximum(values, np.finfo(np.float32).tiny))
        return total

    def take(self, which: Ints) -> Objectives:
        """Returns the objectives of some of the frames."""
        return replace(
            self,
            weights=[(values[which], strength) for values, strength in self.weights],
            balances=[replace(one, classes=one.classes[which]) for one in self.balances],
        )


def beyond_thresholds(config: SelectionConfig, frames: Frames) -> Masks:
    """Returns which frames keep all thresholds, shape (N,)."""
    kept = np.ones(len(frames), np.bool_)
    for entry in config.strategies:
        if isinstance(entry.strategy, Threshold):
            compare = _OPERATIONS[entry.strategy.operation]
            kept &= compare(_values(entry, frames), entry.strategy.threshold)
    return kept


def objectives(
    config: SelectionConfig,
    frames: Frames,
    candidates: Ints,
    *,
    queries: Mapping[str, NDArray[np.float16]],
    on_wait: Callable[[], None],
) -> Objectives:
    """Returns the objectives of the candidates.

    Args:
        config: One that the engine can do.
        frames: All frames.
        candidates: Which of them may be chosen, one or more.
        queries: Embeddings of what SIMILARITY is to, by `dataset_id`; each has one or more.
        on_wait: Called now and then; if it raises, the work ends.
    """
    rows, diversity, weights, balances = View(frames.embeddings, candidates), None, [], []
    for entry in config.strategies:
        match entry.strategy:
            case Diversity():
                diversity = entry.strategy
            case Balance() as balance:
                balances.append(_balancing(balance, _values(entry, frames)[candidates]))
            case Weights(strength=strength):
                weights.append((_weights(_values(entry, frames)[candidates]), strength))
            case Typicality(num_nearest_neighbors=n, strength=strength):
                weights.append((typicality(rows, n, on_wait), strength))
            case Similarity(strength=strength) if isinstance(entry.input, Embeddings):
                asked = View.of_all(queries[entry.input.dataset_id or ""])
                similarity = nearest(rows, asked, on_wait)[0]
                weights.append((_closeness(to_distance(similarity)), strength))
    return Objectives(diversity, weights, balances)


def typicality(rows: View, n_neighbours: int, on_wait: Callable[[], None]) -> Floats:
    """Returns how near each row is to its nearest neighbours, from 0 to 1, shape (N,)."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_NEIGHBOURS)).round().astype(int)
    others, n = rows.unit(chosen).T, min(n_neighbours, len(chosen) - 1)
    means = np.zeros(len(rows), np.float32)
    if n == 0:
        return means + 1
    for part in blocks(len(rows), _TYPICALITY_BLOCK):
        on_wait()
        found = rows.unit(part) @ others
        # A row is no neighbour of itself.
        found[chosen == np.arange(part.start, part.stop)[:, np.newaxis]] = -1.0
        means[part] = to_distance(np.partition(found, -n, axis=1)[:, -n:]).mean(axis=1)
    return _closeness(means)


def _closeness(distances: Floats) -> Floats:
    # As the library does it (found by experiment): a distance counts by the mean of all.
    closeness: Floats = np.exp(-distances / np.float32(distances.mean() or 1.0))
    return closeness


def _weights(values: Floats) -> Floats:
    # The library takes negative weights without a word and then ignores them.
    return values - min(float(values.min()), 0.0)


def _values(entry: Entry, frames: Frames) -> Floats:
    match entry.input:
        case Metadata(key=key):
            names = {"timestamp_s": "timestamps_s"}
            name = metadata_name(key)
            return _finite(getattr(frames, names.get(name, name)), name)
        case Random(random_seed=seed):
            return np.random.default_rng(seed or 0).random(len(frames), np.float32)
    raise TypeError(entry.input)  # `check_engine` has refused it


def _finite(values: NDArray[np.floating], name: str) -> Floats:
    if not np.isfinite(values).all():
        # The library would take them without a word.
        message = f"The {name} of a frame is not finite. Report this video as a bug."
        raise SelectionFailed(message, code="engine:metadata")
    return values.astype(np.float32)


def _balancing(balance: Balance, values: Floats) -> Balancing:
    if balance.target:
        bounds = [class_bounds(name) for name in balance.target]
        member = [(low <= values) & (values < high) for low, high in bounds]
        # What the target leaves open is for all others.
        classes = np.stack([*member, ~np.any(member, axis=0)], axis=1).astype(np.float32)
        classes /= classes.sum(axis=1, keepdims=True)
        shares = list(balance.target.values())
        target = np.array([*shares, max(0.0, 1.0 - sum(shares))], np.float32)
        return Balancing(classes, target, balance.strength)
    edges = np.linspace(values.min(), values.max(), _N_CLASSES + 1)[1:-1]
    classes = np.eye(_N_CLASSES, dtype=np.float32)[np.digitize(values, edges)]
    shares_there = classes.mean(axis=0)
    uniform = (shares_there > 0) / np.float32((shares_there > 0).sum())
    shares = uniform if balance.distribution == "UNIFORM" else shares_there
    return Balancing(classes, shares, balance.strength)
