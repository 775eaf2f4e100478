"""An engine task in the hands of a test: a scripted engine, and each message delivered by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from curation.engine_port import FrameSelection, VideoPlan
from curation.steps import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from types_boto3_s3 import S3Client

    from curation.engine_port import EngineProgress, SegmentOfVideo, VideoOfRun
    from curation.ledger.engine import EngineTask
    from curation.ledger.ledger import Ledger
    from curation.models import Run
    from curation.steps.engine import Workplace
    from tests.support.clock import Clock

# Seconds without a sign of life after which others take a task over.
SILENT_S = 30.0


@dataclass
class Script:
    """A FrameSelector that does what a test says, over a video of 10 frames in each segment.

    Attributes:
        n_segments: Into how many segments it cuts.
        meanwhile: What happens while a part is at work, by its name; `end of 0` happens when
            segment 0 is embedded and not yet written.
        done: The parts that it has done.
    """

    n_segments: int = 2
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def plan(self, _video: VideoOfRun) -> VideoPlan:
        """Cuts."""
        self._do("plan")
        segments = [(number, None, None) for number in range(self.n_segments)]
        return VideoPlan(segments, 10 * self.n_segments)

    def embed(
        self, _video: VideoOfRun, segment: SegmentOfVideo, *, progress: EngineProgress
    ) -> bytes:
        """Embeds."""
        self._do(str(segment[0]))
        progress("EMBEDDING", 10, None)
        self.meanwhile.get(f"end of {segment[0]}", lambda: None)()
        return b"work %d" % segment[0]

    def choose(
        self,
        _video: VideoOfRun,
        parts: Iterable[bytes],
        *,
        write: Callable[[str, bytes, str], None],
        progress: EngineProgress,
    ) -> FrameSelection:
        """Chooses."""
        content = b"".join(parts)
        self._do("choice")
        progress("SAMPLING", None, None)
        write("selected.txt", content, "text/plain")
        return FrameSelection(10 * self.n_segments, ["a.jpg"], report="report.html")

    def select(
        self,
        video: VideoOfRun,
        *,
        write: Callable[[str, bytes, str], None],
        progress: EngineProgress,
    ) -> FrameSelection:
        """Does all of this."""
        return self.choose(video, [], write=write, progress=progress)

    def _do(self, part: str) -> None:
        self.meanwhile.get(part, lambda: None)()
        self.done.append(part)


@dataclass
class EngineBench:
    """A run, and the messages that its engine task has published."""

    run: Run
    place: Workplace
    script: Script
    ledger: Ledger
    clock: Clock
    s3: S3Client
    bucket: str
    sent: list[tuple[int, list[SegmentOfVideo]]] = field(default_factory=list)

    @property
    def task(self) -> EngineTask:
        """What the ledger knows of it."""
        task = self.ledger.engine.get(self.run.run_id)
        assert task is not None
        return task

    def select(self) -> None:
        """Delivers `select_frames`."""
        engine.select_frames(self.run, self.place, publish=self._publish)

    def embed(self, segment: int, generation: int | None = None) -> None:
        """Delivers `embed_segment`, by default of the last generation that was published."""
        generation = generation or self.sent[-1][0]
        engine.embed_segment(self.run, generation, (segment, None, None), self.place)

    def choose(self, generation: int | None = None) -> None:
        """Delivers `choose_frames`."""
        engine.choose_frames(self.run, generation or self.sent[-1][0], self.place)

    def deliver_all(self) -> None:
        """Delivers one message after the other."""
        self.select()
        if self.sent:
            self.embed(0)
            self.embed(1)
            self.choose()

    def reap(self) -> list[str]:
        """Does the reaper's round."""
        now = self.ledger.store.now()
        return engine.reap_work(
            self.ledger.engine,
            self.place.objects,
            self.place.results_uri,
            now=now,
            silent_s=SILENT_S,
        )

    def objects(self) -> list[str]:
        """Names of all objects of the run."""
        prefix = f"out/{self.run.run_id}/"
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [item["Key"].removeprefix(prefix) for item in found]

    def _publish(self, run_id: str, generation: int, segments: Sequence[SegmentOfVideo]) -> None:
        assert run_id == self.run.run_id
        self.sent.append((generation, list(segments)))
