"""The datapools of a run: what it must be new against, is to be like, and adds to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.before import Pool
from curation.errors import RequestError
from curation.selection_support import query_datapools

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from curation.engine.datapool import Datapool
    from curation.engine.embedders.port import Embedder
    from curation.engine_port import VideoOfRun


@dataclass(frozen=True)
class Pools:
    """Where datapools are, and which one the settings name.

    Attributes:
        open: Opens the datapool of a name.
        name: The datapool of all runs, or None.
        distance: Frames nearer than this to one in it are not new.
    """

    open: Callable[[str], Datapool]
    name: str | None
    distance: float

    def before(self, video: VideoOfRun, embedder: Embedder) -> Pool | None:
        """Returns what other runs chose; it is read when it is needed."""
        if not self.name:
            return None
        return Pool(
            self.open(self.name).read(
                embedder=embedder.identity,
                n_features=embedder.n_features,
                without_run=video.run_id,
            ),
            self.distance,
        )

    def queries(self, video: VideoOfRun, embedder: Embedder) -> dict[str, NDArray[np.float16]]:
        """Returns the embeddings of the datapools that the run's frames are to be like, by name.

        Raises:
            RequestError: If one of them has nothing that was made by the same embedder.
        """
        found: dict[str, NDArray[np.float16]] = {}
        for name in query_datapools(video.config):
            parts = self.open(name).read(
                embedder=embedder.identity,
                n_features=embedder.n_features,
                without_run=video.run_id,
            )
            rows = [part for part in parts if len(part)]
            if not rows:
                message = (
                    f"selection_config asks for frames like those of datapool {name!r}, which has "
                    f"none that were made by {embedder.identity!r}. `curate datapool` lists them."
                )
                raise RequestError(message, code="request:selection-config")
            found[name] = np.concatenate(rows)
        return found

    def remember(
        self,
        video: VideoOfRun,
        embedder: Embedder,
        embeddings: NDArray[np.float16],
        frame_names: Sequence[str],
    ) -> None:
        """Adds what was chosen to the datapool of all runs; a second time it changes nothing."""
        if self.name and frame_names:
            self.open(self.name).add(
                run_id=video.run_id,
                embedder=embedder.identity,
                embeddings=embeddings,
                frame_names=frame_names,
            )
