"""A run's ingest with everything real around it, and ways to make it fail."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from curation.engine.probe import AvProbe
from curation.models import Request, Run, Selection
from curation.states import Backend, RunState
from curation.steps.clear import clear_upload
from curation.steps.ingest import ingest_video

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from curation.adapters.storage.s3 import S3Storage
    from curation.ledger.uploads import UploadLedger
    from curation.models import Video
    from curation.ports import VideoSource

MOST_DELIVERIES = 30


class Killed(BaseException):
    """The process dies: nothing is cleaned up, nobody is told."""


class Interrupted:
    """A port, or the ledger, whose method acts once and then does something else in addition.

    Args:
        real: The port.
        method: Name of the method.
        then: What happens right after the method has acted, the first time.
    """

    def __init__(self, real: object, method: str, then: Callable[[], None]) -> None:
        self._real = real
        self._method = method
        self._then: list[Callable[[], None]] = [then]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the port has
        attribute = getattr(self._real, name)
        if name != self._method or not self._then:
            return attribute

        def act(*args: object, **kwargs: object) -> object:
            answer = attribute(*args, **kwargs)
            if self._then:
                self._then.pop()()
            return answer

        return act


@dataclass(frozen=True)
class Bench:
    """One run and what its ingest works with; `replace` one part to make it fail.

    Attributes:
        run: The run.
        bucket: Name of its input bucket.
        s3: Client to look at the bucket with.
        uploads: Storage port.
        objects: Storage port.
        ledger: Ledger of uploads.
        budget: Whether a delivery has time left.
        keep_alive: Renews the claim on the step.
        probe: The engine's probe.
    """

    run: Run
    bucket: str
    s3: S3Client
    uploads: S3Storage | Interrupted
    objects: S3Storage | Interrupted
    ledger: UploadLedger
    budget: Callable[[], bool] = lambda: True
    keep_alive: Callable[[], None] = lambda: None
    probe: AvProbe = field(default_factory=AvProbe)

    def deliver(self, source: VideoSource) -> Video | None:
        """Does one delivery's work."""
        return ingest_video(
            self.run,
            source=source,
            uploads=self.uploads,
            objects=self.objects,
            probe=self.probe,
            ledger=self.ledger,
            bucket_uri=f"s3://{self.bucket}/raw/",
            budget=self.budget,
            keep_alive=self.keep_alive,
        )

    def ingest(self, source: VideoSource) -> Video:
        """Delivers until the video is there."""
        for _ in range(MOST_DELIVERIES):
            video = self.deliver(source)
            if video:
                return video
        raise AssertionError("the ingest comes to no end")

    def clear(self) -> None:
        """Does what the reaper does for a run whose ingest has died."""
        clear_upload(
            self.run.run_id, uploads=self.uploads, objects=self.objects, ledger=self.ledger
        )

    def of_run(self, run_id: str) -> Bench:
        """Returns the bench of another run."""
        return replace(self, run=a_run(run_id))

    def interrupted(self, port: str, method: str, then: Callable[[], None]) -> Bench:
        """Returns the bench with something that happens right after a method has acted once."""
        real = getattr(self, port)
        fields: dict[str, Any] = {port: Interrupted(real, method, then)}
        return replace(self, **fields)

    def keys(self) -> list[str]:
        """Returns the keys of all objects in the bucket."""
        found = self.s3.list_objects_v2(Bucket=self.bucket)
        return [item["Key"] for item in found.get("Contents", [])]

    def open_uploads(self) -> list[str]:
        """Returns the keys of all open multipart uploads."""
        try:
            found = self.s3.list_multipart_uploads(Bucket=self.bucket)
        except self.s3.exceptions.NoSuchUpload:  # rclone, if the bucket never had one
            return []
        return [item["Key"] for item in found.get("Uploads", [])]

    def content(self, video: Video) -> bytes:
        """Returns what lies in the bucket."""
        key = video.uri.removeprefix(f"s3://{self.bucket}/")
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def is_clean(self) -> bool:
        """Whether nothing at all is left over."""
        return (self.keys(), self.open_uploads(), self.ledger.unfinished()) == ([], [], [])


def a_run(run_id: str) -> Run:
    """Returns a run as the ledger has it while its video is being ingested."""
    return Run(
        run_id=run_id,
        state=RunState.PREPARING,
        created_at=0.0,
        updated_at=0.0,
        deadline_at=1e9,
        request=Request(source="x", proportion_samples=0.1, selection_backend=Backend.ENGINE),
        selection=Selection(backend=Backend.ENGINE),
    )
