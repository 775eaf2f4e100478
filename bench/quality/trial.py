"""Lets every selector choose from one labelled video, and judges what it chose."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.quality import measures, selectors
from bench.quality.spaces import JUDGES
from curation.engine.decode import open_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.quality.sets import LabelledSet
    from curation.engine.embedders.port import Embedder

    Space = NDArray[np.float32]
    Chosen = NDArray[np.int64]

BUDGETS = (0.01, 0.02, 0.05, 0.10)
RANDOM, EVERY_NTH, SHOTS = "random", "every n-th", "shots + middle frame"
# Random choices whose scores are averaged.
_N_RANDOM = 20


@dataclass(frozen=True)
class Result:
    """What one selector reached on one set at one budget, as a mean over the judges."""

    labelled: str
    selector: str
    budget: float
    coverage: float
    events: float
    radius: float
    typical: float
    near_duplicates: float
    gain: float


def spaces_of(
    video: Path, embedders: Mapping[str, Embedder], cache: Path
) -> tuple[dict[str, Space], dict[str, Space]]:
    """Returns the embeddings of a video by embedder and by judge, each of shape (N, D).

    Args:
        video: The file.
        embedders: Those that compete, by the name of their row.
        cache: Folder that keeps what was computed before.
    """
    ours = {
        row: _cached(cache, f"{video.stem}-{row}-{one.identity}", video, one.size, one.embed)
        for row, one in embedders.items()
    }
    judges = {
        name: _cached(cache, f"{video.stem}-{name}", video, size, space)
        for name, (size, space) in JUDGES.items()
    }
    return ours, judges


def compare(
    labelled: LabelledSet,
    ours: Mapping[str, Space],
    judges: Mapping[str, Space],
    choose: Callable[[Space, int], Chosen],
) -> Iterator[Result]:
    """Yields one result for each selector and budget.

    Args:
        labelled: What is where.
        ours: Embeddings by row of the table.
        judges: Spaces that judge.
        choose: The engine's own choice of k frames from embeddings.
    """
    n = len(labelled.scenes)
    budgets = {budget: max(1, round(n * budget)) for budget in BUDGETS}
    # Chosen once: of a greedy choice the first k are the choice of k.
    orders = {row: choose(space, max(budgets.values())) for row, space in ours.items()}
    handmade = next(iter(judges.values()))
    for budget, k in budgets.items():
        dice = np.random.default_rng(0)
        chosen = {
            RANDOM: [selectors.at_random(n, k, dice) for _ in range(_N_RANDOM)],
            EVERY_NTH: [selectors.every_nth(n, k)],
            SHOTS: [selectors.shots(handmade, k)],
            **{row: [order[:k]] for row, order in orders.items()},
        }
        yield from _judged(labelled, chosen, judges, budget)


def _judged(
    labelled: LabelledSet,
    chosen: Mapping[str, list[Chosen]],
    judges: Mapping[str, Space],
    budget: float,
) -> Iterator[Result]:
    scores = {
        row: [
            [measures.score(one, labelled, space) for one in several] for space in judges.values()
        ]
        for row, several in chosen.items()
    }
    # By judge: the radius of a random choice, and of greedy k-center in the judge's own space.
    random = [np.mean([one.radius for one in several]) for several in scores[RANDOM]]
    k = len(chosen[RANDOM][0])
    best = [measures.radius(selectors.k_center(space, k), space) for space in judges.values()]
    for row, by_judge in scores.items():
        means = [_mean([asdict(one) for one in several]) for several in by_judge]
        gains = [
            measures.gain(mean["radius"], random=float(low), best=high)
            for mean, low, high in zip(means, random, best, strict=True)
        ]
        yield Result(labelled.name, row, budget, **_mean(means), gain=float(np.mean(gains)))


def _mean(records: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([record[key] for record in records])) for key in records[0]}


def _cached(
    folder: Path, name: str, video: Path, size: int, embed: Callable[[NDArray[np.uint8]], Space]
) -> Space:
    path = folder / f"{name.replace('/', '_').replace(' ', '-')}.npy"
    if not path.exists():
        with video.open("rb") as file, open_video(file, name=video.name) as opened:
            rows = [embed(opened.pixels(frame, size=size)) for frame in opened.frames()]
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, np.array(rows, np.float32))
    space: Space = np.load(path)
    return space
