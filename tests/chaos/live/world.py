"""A sandbox world with a proxy before each of its servers, and what to ask of it."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Self

import psutil
from redis import Redis

from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from sandbox.cloud.control import Control as Cloud
from sandbox.lightly.control import Control as Lightly
from sandbox.world import World
from tests.support.proxy import Proxy
from tests.support.waiting import wait_until
from tests.support.worlds import s3_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_s3 import S3Client


PROXIED = ("valkey", "cloud", "s3", "lightly", "pexels", "files")
CONTROL_PLANE = ("control", "beat", "flower", "valkey")
_QUEUES = "ingest,compute,selection,reaper,reports"
_SPARE = ("celery", "-A", "pipeline", "worker", "-c", "2", "-n", "spare@sandbox", "-l", "INFO")
PASSWORD = "canary-password-of-redis"
# Everything that is waited for in real life, in seconds instead of minutes.
SCALED = {
    "BOOT_GRACE_S": "3",
    "EC2_INSTANCE_ID": "i-0123456789abcdef0",
    "INSTANCE_POLL_INTERVAL_S": "0.3",
    # Each run has its own, so that each creates one.
    "LIGHTLY_DATASET_NAME": "videos of {run_id}",
    "POLL_INTERVAL_S": "0.3",
    "REAP_INTERVAL_S": "2",
    # On a machine that is busy with other things as well.
    "RUN_DEADLINE_S": "300",
    # The time limits follow from it, and a cold process on a busy machine needs some seconds.
    "VISIBILITY_TIMEOUT_S": "20",
}


class LiveWorld:
    """An open world whose clients reach every server through a proxy.

    Attributes:
        world: The sandbox.
        proxies: The proxy before each server, by the server's name.
        lease_ttl_s: LEASE_TTL_S.
    """

    def __init__(self, files_port: int, *, lease_ttl_s: float) -> None:
        """Takes the port of a file server that runs may fetch from, and LEASE_TTL_S."""
        self.lease_ttl_s = lease_ttl_s
        self._files_port = files_port
        self._spare: subprocess.Popen[bytes] | None = None
        self.world: World
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.proxies = {
                name: stack.enter_context(Proxy(functools.partial(self._port, name)))
                for name in PROXIED
            }
            settings = SCALED | self._addresses() | {"LEASE_TTL_S": str(self.lease_ttl_s)}
            self.world = World(hosted=True, settings=settings)
            stack.enter_context(self.world)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def setting(self) -> Mapping[str, str]:
        """All variables of the processes."""
        return self.world.environment

    @cached_property
    def cloud(self) -> Cloud:
        """EC2 and SSM, past the proxy."""
        url = f"http://127.0.0.1:{self.world.ports['cloud']}"
        return Cloud(url=url, instance_id=self.setting["EC2_INSTANCE_ID"])

    @cached_property
    def lightly(self) -> Lightly:
        """Lightly, past the proxy."""
        return Lightly(url=f"http://127.0.0.1:{self.world.ports['lightly']}")

    @property
    def clip(self) -> str:
        """Link of the usual video."""
        return f"http://127.0.0.1:{self.proxies['files'].port}/clip.mp4"

    @cached_property
    def s3(self) -> S3Client:
        """The buckets."""
        return s3_of(self.world)

    @cached_property
    def redis(self) -> Redis:
        """The broker, past the proxy."""
        return Redis.from_url(self._redis_url)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, past the proxy."""
        store = Store.connect(self._redis_url)
        return Ledger.over(store, retention_days=1, lease_ttl_s=self.lease_ttl_s)

    def process(self, name: str) -> psutil.Process:
        """Returns a process of the world, which may have been restarted a moment ago."""
        return psutil.Process(wait_until(lambda: self.world.processes[name].pid))

    def add_spare(self) -> None:
        """Starts a second Celery worker, which lives on while the first one is frozen."""
        with self.world.log("spare").open("ab") as log:
            self._spare = subprocess.Popen(
                [sys.executable, "-m", *_SPARE, "-Q", _QUEUES],
                env=dict(self.setting),
                stdout=log,
                stderr=log,
            )
        self._stack.callback(self._kill_spare)

    def kill_control_plane(self) -> None:
        """SIGKILL of broker, beat and Celery workers; their supervisor is frozen."""
        self._supervisor.suspend()
        self._kill_spare()
        for name in CONTROL_PLANE:
            self.process(name).kill()

    def revive_control_plane(self) -> None:
        """Lets the supervisor go on."""
        self._supervisor.resume()
        self.add_spare()

    def forget(self) -> None:
        """Removes what the broker would find when it comes back."""
        shutil.rmtree(self.world.data / "valkey" / "appendonlydir")

    @property
    def _supervisor(self) -> psutil.Process:
        parent = self.process("cloud").parent()
        assert parent
        return parent

    def _kill_spare(self) -> None:
        if self._spare:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = psutil.Process(self._spare.pid)
                for process in (family, *family.children()):
                    process.kill()
            self._spare.wait()

    @property
    def _redis_url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.world.ports['valkey']}/0"

    def _port(self, server: str) -> int:
        return self._files_port if server == "files" else self.world.ports[server]

    def _addresses(self) -> dict[str, str]:
        address = {name: f"127.0.0.1:{proxy.port}" for name, proxy in self.proxies.items()}
        cloud = f"http://{address['cloud']}"
        return {
            "ALLOWED_VIDEO_HOSTS": "127.0.0.1",
            "AWS_ENDPOINT_URL": cloud,
            "AWS_ENDPOINT_URL_EC2": cloud,
            "AWS_ENDPOINT_URL_S3": f"http://{address['s3']}",
            "AWS_ENDPOINT_URL_SSM": cloud,
            "LIGHTLY_SERVER_LOCATION": f"http://{address['lightly']}",
            "PEXELS_API_URL": f"http://{address['pexels']}",
            "REDIS_URL": f"redis://:{PASSWORD}@{address['valkey']}/0",
        }
