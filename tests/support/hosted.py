"""The selection backend `lightly` over real servers: stand-in, ledger and S3."""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import SecretStr

from curation.adapters.selection.lightly import LightlyBackend
from curation.adapters.storage.s3 import S3Storage
from curation.ledger.hosted import HostedLedger, HostedRun
from curation.models import Request, Run, Video
from curation.setting_groups import LightlySettings, S3Settings
from curation.states import Backend
from tests.support.lightly import TOKEN

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from curation.ledger.ledger import Ledger
    from tests.support.lightly import Lightly

ROLE_ARN = "arn:aws:iam::123456789012:role/lightly"
EXTERNAL_ID = "external-id-of-the-role"


@dataclass(frozen=True)
class Hosted:
    """Everything that a run on hosted Lightly touches.

    Attributes:
        lightly: The stand-in.
        ledger: The ledger of the steps, over the same store.
        s3: To look at the bucket with.
        bucket: Holds videos and results.
        dataset_name: A name that no other test uses.
    """

    lightly: Lightly
    ledger: Ledger
    s3: S3Client
    bucket: str
    dataset_name: str

    @classmethod
    def over(cls, lightly: Lightly, ledger: Ledger, s3: S3Client, bucket: str) -> Hosted:
        """Returns one for a single test."""
        return cls(lightly, ledger, s3, bucket, f"videos-{uuid.uuid4().hex[:8]}")

    @property
    def input_uri(self) -> str:
        """Where videos are."""
        return f"s3://{self.bucket}/videos/"

    @property
    def lightly_uri(self) -> str:
        """Where results go."""
        return f"s3://{self.bucket}/results/"

    def backend(
        self,
        *,
        server: str = "",
        dataset_name: str = "",
        region: str = "us-east-1",
        runs_on: tuple[str, ...] = (),
    ) -> LightlyBackend:
        """Returns the backend, as a process that has just started has it."""
        return LightlyBackend(
            LightlySettings(
                token=SecretStr(TOKEN),
                server_location=server or self.lightly.url,
                dataset_name=dataset_name or self.dataset_name,
                runs_on=runs_on,
            ),
            S3Settings(
                region=region,
                role_arn=ROLE_ARN,
                external_id=SecretStr(EXTERNAL_ID),
                input_bucket=self.input_uri,
                lightly_bucket=self.lightly_uri,
            ),
            ledger=HostedLedger(self.ledger.store),
            objects=_storage_at(self.s3.meta.endpoint_url),
        )

    def new_run(self, name: str = "clip.mp4") -> Run:
        """Returns a run with a verified video of that name."""
        request = Request(
            source="/videos", proportion_samples=0.1, selection_backend=Backend.LIGHTLY
        )
        run_id, _ = self.ledger.runs.create(request, deadline_s=1000)
        uri = f"{self.input_uri}{run_id}/{name}"
        video = Video(uri=uri, size_bytes=1, sha256="0" * 64, source_url="file:///videos/clip.mp4")
        self.ledger.runs.record_video(run_id, video)
        return self.ledger.runs.get(run_id)

    def known(self, run: Run) -> HostedRun:
        """Returns what the ledger knows of the run on Lightly."""
        return HostedLedger(self.ledger.store).get(run.run_id)

    def take(self, run: Run) -> str:
        """Lets a Lightly Worker pick the run up, and returns its id there."""
        known = self.known(run)
        return self.lightly.take(known.dataset_id or "", known.scheduled_run_id or "")

    def text(self, uri: str | None) -> str:
        """Returns an object as text."""
        key = (uri or "").removeprefix(f"s3://{self.bucket}/")
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode()


def frames(run: Run, *numbers: int) -> list[str]:
    """Returns names of frames of a run's video in a dataset that runs share."""
    return [f"{run.run_id}/clip-{number:03}-mp4.png" for number in numbers]


@functools.cache  # building boto3's client takes longer than most tests
def _storage_at(_endpoint: str) -> S3Storage:
    return S3Storage()
