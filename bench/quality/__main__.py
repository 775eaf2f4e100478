"""The quality bench: what the engine chooses, beside what people do by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.frames import choose
from bench.quality import page, trial
from bench.quality.material import HELD_OUT, TUNING
from bench.quality.sets import KINDS, make_set
from curation.engine.embedders.catalog import open_embedder
from curation.engine.embedders.network import NetworkEmbedder
from curation.engine.network import build_classifier
from curation.engine.sparing import SparingEmbedder, most_spared
from curation.engine.weights import load_weights, weights_path
from curation.selection_config import diverse

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from curation.engine.embedders.port import Embedder

FOLDER = Path("var/bench")
SEEDS = (1, 2)
OURS = "engine (lite0)"


def main() -> None:
    """Judges all selectors on the sets that nothing was tuned on; with `tuning`, on the others."""
    is_tuning = sys.argv[1:] == ["tuning"]
    results = list(_results("tuning" if is_tuning else "held-out"))
    tables = page.tables(results, OURS)
    print(tables)  # noqa: T201  # the output of a command
    if not is_tuning:
        page.put_figures(tables)
    if failures := page.missed_bars(results, OURS):
        sys.exit("Missed: " + "; ".join(failures))


def _embedders() -> dict[str, Embedder]:
    lite0 = open_embedder("lite0", device="cpu", cache_dir=None)
    network = build_classifier(load_weights(weights_path()))
    return {
        # Sparing as in a run; it remembers pictures, so that each video needs new ones.
        OURS: SparingEmbedder(lite0, most=most_spared(diverse(max(trial.BUDGETS)), None)),
        "reference (plain lite0 at 224)": NetworkEmbedder(
            network, identity="lite0@224/reference", size=224, device="cpu"
        ),
        "engine (features)": open_embedder("features", device="cpu", cache_dir=None),
    }


def _results(material: str) -> Iterator[trial.Result]:
    scenes = TUNING if material == "tuning" else HELD_OUT
    for kind in KINDS:
        for seed in SEEDS:
            name = f"{kind}-{material}-{seed}"
            video = FOLDER / "sets" / f"{name}.mp4"
            labelled = make_set(kind, scenes, seed=seed, name=name, path=video)
            print(f"{name}: {len(labelled.scenes)} frames", file=sys.stderr, flush=True)  # noqa: T201  # progress
            ours, judges = trial.spaces_of(video, _embedders(), FOLDER / "spaces")
            yield from trial.compare(labelled, ours, judges, _choose)


def _choose(embeddings: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    return choose(embeddings, diverse(k / len(embeddings)))


if __name__ == "__main__":
    main()
