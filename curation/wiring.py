"""The composition root: settings and a URL's scheme decide which adapter is used.

Nobody else names a concrete adapter. Each is imported when it is first needed, so that a process
loads only what it works with.
"""

from __future__ import annotations

import contextlib
import importlib
from functools import cached_property, partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from pydantic import SecretStr

from curation.ledger.hosted import HostedLedger
from curation.ledger.ledger import Ledger
from curation.ledger.uploads import UploadLedger
from curation.models import new_run_id
from curation.source_uri import SourceKind, kind_of
from curation.states import Backend
from curation.steps.instance import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from curation.adapters.compute.ec2 import Ec2Instances
    from curation.adapters.compute.ssm import SsmShell
    from curation.adapters.selection.lightly_api import LightlyApi
    from curation.adapters.sources.http import HttpFiles
    from curation.adapters.sources.pexels import PexelsSource
    from curation.adapters.sources.pexels_api import PexelsApi
    from curation.adapters.storage.s3 import S3Storage
    from curation.adapters.storage.s3_buckets import S3Buckets
    from curation.engine.run import Engine
    from curation.ports import Notifier, SelectionBackend, SourceVideo, VideoProbe, VideoSource
    from curation.settings import Settings

# An engine task that gives no sign of life for this long is taken for dead.
ENGINE_SILENT_S = 30.0


class Wiring:
    """Everything that the steps need, built from the settings on first use.

    Args:
        settings: The settings in force.
        send_engine_task: Publishes the message `engine.select_frames` for a run id.
    """

    def __init__(self, settings: Settings, *, send_engine_task: Callable[[str], None]) -> None:
        self.settings = settings
        self._send_engine_task = send_engine_task

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger.connect(self.settings)

    @cached_property
    def upload_ledger(self) -> UploadLedger:
        """How far uploads have come."""
        return UploadLedger(self.ledger.store)

    @cached_property
    def storage(self) -> S3Storage:
        """Both buckets: multipart uploads and objects."""
        from curation.adapters.storage.s3 import S3Storage

        return S3Storage(region=self.settings.s3.region)

    @cached_property
    def buckets(self) -> S3Buckets:
        """Both buckets as a whole."""
        from curation.adapters.storage.s3_buckets import S3Buckets

        return S3Buckets(region=self.settings.s3.region)

    @cached_property
    def machine(self) -> Machine | None:
        """The instance, or None if this machine does the work."""
        instance_id = self.settings.ec2.ec2_instance_id
        if instance_id is None:
            return None
        return Machine(
            instance_id=instance_id,
            instances=self.instances,
            shell=self.shell,
            leases=self.ledger.leases,
        )

    @cached_property
    def instances(self) -> Ec2Instances:
        """EC2."""
        from curation.adapters.compute.ec2 import Ec2Instances

        return Ec2Instances(region=self.settings.ec2.ec2_region)

    @cached_property
    def shell(self) -> SsmShell:
        """SSM."""
        from curation.adapters.compute.ssm import SsmShell

        ec2 = self.settings.ec2
        return SsmShell(
            region=ec2.ec2_region,
            document=ec2.ssm_document,
            script_path=ec2.script_path,
            lease_document=ec2.ssm_lease_document,
        )

    @cached_property
    def probe(self) -> VideoProbe:
        """Tells what is a video."""
        from curation.engine.probe import AvProbe

        return AvProbe()

    @cached_property
    def selector(self) -> Engine:
        """Our own engine."""
        from curation.engine.datapool import Datapool
        from curation.engine.embedders.catalog import open_embedder
        from curation.engine.pictures import PictureFormat
        from curation.engine.pools import Pools
        from curation.engine.run import Engine

        settings = self.settings.run
        folder = settings.engine_cache_dir
        cache_dir = Path(folder) if folder else None
        name, device = settings.engine_embedder, settings.engine_device

        def open_pool(pool: str) -> Datapool:
            return Datapool(self.storage, self.settings.s3.lightly_bucket, pool)

        return Engine(
            partial(open_embedder, name, device=device, cache_dir=cache_dir),
            Pools(open_pool, settings.datapool, settings.datapool_distance),
            PictureFormat(settings.frame_format, settings.frame_quality),
            max_damaged_share=settings.max_damaged_share,
        )

    @cached_property
    def notifier(self) -> Notifier | None:
        """Messages to people, or None if nobody wants any.

        Raises:
            OperatorError: If a URL cannot be used.
        """
        urls = self.settings.notify.targets
        if not urls:
            return None
        from curation.adapters.notify.apprise import AppriseNotifier

        return AppriseNotifier(urls)

    def video_source(self, uri: str) -> VideoSource:
        """Returns the source that a video source URI names.

        Raises:
            RequestError: If it names none.
        """
        limits = self.settings.source
        match kind_of(uri):
            case SourceKind.FOLDER:
                from curation.adapters.sources.folder import FolderSource

                return FolderSource(uri, max_bytes=limits.max_video_bytes)
            case SourceKind.HTTP:
                from curation.adapters.sources.http import HttpSource

                return HttpSource(uri, self._http_files)
            case SourceKind.S3:
                from curation.adapters.sources.s3 import S3Source

                return S3Source(uri, self.storage.contents, max_bytes=limits.max_video_bytes)
            case SourceKind.PEXELS:
                return self._pexels(uri)

    def videos_of(self, uri: str) -> Iterator[SourceVideo]:
        """Yields every video of a source; of a listing on Pexels in its order, not by chance."""
        if kind_of(uri) is SourceKind.PEXELS:
            return self._pexels(uri).listed()
        return self.video_source(uri).candidates()

    @cached_property
    def pexels_api(self) -> PexelsApi:
        """Pexels, without its files."""
        from curation.adapters.sources.pexels_api import PexelsApi

        settings = self.settings.pexels
        return PexelsApi(settings.api_url, settings.api_key)

    def backend(self, name: Backend) -> SelectionBackend:
        """Returns the selection backend of that name."""
        match name:
            case Backend.ENGINE:
                from curation.adapters.selection.queue import EngineQueue

                return EngineQueue(
                    self.ledger.engine,
                    self.ledger.store,
                    send=self._send_engine_task,
                    silent_s=ENGINE_SILENT_S,
                )
            case Backend.LIGHTLY:
                return self._lightly

    def _pexels(self, uri: str) -> PexelsSource:
        from curation.adapters.sources.pexels import PexelsSource

        return PexelsSource(
            uri,
            api=self.pexels_api,
            files=self._http_files,
            max_height=self.settings.source.max_video_height,
            dice=SystemRandom(),
        )

    @cached_property
    def _http_files(self) -> HttpFiles:
        """Fetches files behind links."""
        from curation.adapters.sources.http import HttpFiles

        limits = self.settings.source
        return HttpFiles(
            max_bytes=limits.max_video_bytes,
            allowed_hosts=limits.allowed_video_hosts,
            # Less than the soft time limit of a delivery, with room for what follows.
            total_timeout_s=0.4 * self.settings.broker.visibility_timeout_s,
        )

    @cached_property
    def _lightly(self) -> SelectionBackend:
        """Hosted Lightly; one for a process, because its client costs much and prints a lot."""
        from curation.adapters.selection.lightly import LightlyBackend

        return LightlyBackend(
            self.settings.lightly,
            self.settings.s3,
            ledger=HostedLedger(self.ledger.store),
            objects=self.storage,
        )

    @cached_property
    def lightly_api(self) -> LightlyApi:
        """Hosted Lightly, for questions that belong to no run."""
        from curation.adapters.selection.lightly_api import LightlyApi

        settings = self.settings.lightly
        return LightlyApi(settings.token or SecretStr(""), server=settings.server_location)

    def lightly_problems(self) -> Iterator[str]:
        """Yields a sentence for each setting that a run on hosted Lightly cannot use."""
        from curation.adapters.selection.lightly_plan import lightly_problems, s3_problems

        yield from lightly_problems(new_run_id(0.0), self.settings.lightly)
        yield from s3_problems(self.settings.s3)


def load_lightly() -> None:
    """Imports the client of hosted Lightly now; without this the first run to need it does."""
    # Where it is not installed a run says so.
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("curation.adapters.selection.lightly_client")
