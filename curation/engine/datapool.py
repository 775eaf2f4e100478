"""The embeddings in a datapool, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curation.datapool import DatapoolStore, PoolEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from curation.ports import Objects

_DTYPE = np.dtype("<f2")


class Datapool:
    """What earlier runs chose.

    Args:
        objects: Where the Lightly bucket is.
        lightly_bucket: Its URI with prefix.
        name: The datapool.
    """

    def __init__(self, objects: Objects, lightly_bucket: str, name: str) -> None:
        self._store = DatapoolStore(objects, lightly_bucket, name)

    def read(
        self, *, embedder: str, n_features: int, without_run: str
    ) -> Iterator[NDArray[np.float16]]:
        """Yields the embeddings that each run has added, shape (K, n_features), float16.

        Args:
            embedder: Name of the embedder; what others made is left out.
            n_features: Length of an embedding.
            without_run: A run that chooses a second time is not to shun its own first choice.
        """
        for run_id in self._store.run_ids():
            if run_id == without_run:
                continue
            entry, rows = self._store.read(run_id)
            if (entry.embedder, entry.n_features) == (embedder, n_features):
                yield np.frombuffer(rows, _DTYPE).reshape(-1, n_features)

    def add(
        self,
        *,
        run_id: str,
        embedder: str,
        embeddings: NDArray[np.float16] | NDArray[np.float32],
        frame_names: Sequence[str],
    ) -> None:
        """Adds what a run chose, shape (K, D); a second time it takes the first one's place.

        Args:
            run_id: The run.
            embedder: Name of the embedder.
            embeddings: One row for each chosen frame.
            frame_names: Their file names.
        """
        entry = PoolEntry(
            run_id=run_id,
            embedder=embedder,
            n_features=embeddings.shape[1],
            frames=tuple(frame_names),
        )
        self._store.write(entry, np.ascontiguousarray(embeddings, _DTYPE).tobytes())
