"""Who takes part in the sandbox: each process with the question that tells whether it is ready."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sandbox.environment import INSTANCE_ID, ROOT
from sandbox.launch import Part
from sandbox.processes import HOST, Process
from sandbox.readiness import broker_answers, http_answers, worker_answers
from sandbox.s3 import s3
from sandbox.valkey import valkey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SERVERS = ("valkey", "s3", "cloud", "pexels", "flower", "web")
HOSTED_SERVERS = ("lightly",)
CONTROL_QUEUES = "ingest,compute,selection,reaper,reports"
CONTROL_WORKER = "control@sandbox"


class Cast:
    """The parts of one sandbox."""

    def __init__(
        self, data: Path, environment: Mapping[str, str], ports: Mapping[str, int]
    ) -> None:
        """Takes the sandbox's data folder, its variables, and the port of each server by name."""
        self._data = data
        self._environment = environment
        self._ports = ports
        self._url = environment["REDIS_URL"]

    def log(self, name: str) -> Path:
        """Returns the log file of a process."""
        return self._data / "logs" / f"{name}.log"

    def broker(self) -> list[Part]:
        """Returns what all others talk through."""
        process = valkey(
            self._data / "valkey",
            port=self._ports["valkey"],
            password=urlsplit(self._url).password or "",
            log=self.log("valkey"),
        )
        return [Part(process, lambda: broker_answers(self._url))]

    def aws(self) -> list[Part]:
        """Returns the stand-ins of Amazon's services."""
        return [self._s3(), self._cloud()]

    def pexels(self) -> list[Part]:
        """Returns the stand-in of Pexels."""
        port = self._ports["pexels"]
        process = self._python(
            *("pexels", "sandbox.pexels", "--port", str(port)),
            *("--data", str(self._data / "pexels")),
            layer=1,
        )
        return [Part(process, lambda: http_answers(port, "/sandbox/health", status=200))]

    def lightly(self) -> list[Part]:
        """Returns the stand-in of hosted Lightly; its worker runs on the instance."""
        port = self._ports["lightly"]
        process = self._python(
            *("lightly", "sandbox.lightly", "--port", str(port)),
            *("--data", str(self._data / "lightly")),
            layer=1,
        )
        return [Part(process, lambda: http_answers(port, "/sandbox/health", status=200))]

    def celery(self) -> list[Part]:
        """Returns the pipeline's own processes; the engine's worker runs on the instance."""
        return [self._control_worker(), self._beat(), self._flower(), self._web()]

    def _s3(self) -> Part:
        environment, port = self._environment, self._ports["s3"]
        process = s3(
            self._data / "buckets",
            port=port,
            key_id=environment["AWS_ACCESS_KEY_ID"],
            secret=environment["AWS_SECRET_ACCESS_KEY"],
            buckets=[
                urlsplit(environment[name]).netloc
                for name in ("S3_INPUT_BUCKET", "S3_LIGHTLY_BUCKET")
            ],
            log=self.log("s3"),
        )
        # 400, because it wants a signature.
        return Part(process, lambda: http_answers(port, "/", status=400))

    def _cloud(self) -> Part:
        port = self._ports["cloud"]
        process = self._python(
            *("cloud", "sandbox.cloud", "--port", str(port), "--instance-id", INSTANCE_ID),
            *("--data", str(self._data / "instance")),
            *("--boot-script", str(ROOT / "sandbox" / "instance" / "boot.sh")),
            layer=1,
        )
        return Part(process, lambda: http_answers(port, "/sandbox/health", status=200))

    def _control_worker(self) -> Part:
        process = self._python(
            *("control", "celery", "-A", "pipeline", "worker", "-Q", CONTROL_QUEUES, "-c", "2"),
            # There is nobody to greet, which would take a second.
            *("-n", CONTROL_WORKER, "-l", "INFO", "--without-mingle", "--without-gossip"),
            # It ends its running tasks first; those of a killed worker come back much later.
            layer=2,
            grace_s=20.0,
        )
        return Part(process, lambda: worker_answers(self._url, CONTROL_WORKER))

    def _beat(self) -> Part:
        process = self._python(
            *("beat", "celery", "-A", "pipeline", "beat", "-s", str(self._data / "beat")),
            # An empty name: no pid file, which after a kill could keep it from starting again.
            *("-l", "INFO", "--pidfile", ""),
            layer=2,
        )
        # Nobody can ask it. If it cannot start, it dies while the others are waited for.
        return Part(process, lambda: True)

    def _flower(self) -> Part:
        port = self._ports["flower"]
        process = self._python(
            *("flower", "celery", "-A", "pipeline", "flower", f"--address={HOST}"),
            *(f"--port={port}", f"--conf={ROOT / 'flowerconfig.py'}"),
            layer=2,
        )
        return Part(process, lambda: http_answers(port, "/healthcheck", status=200))

    def _web(self) -> Part:
        port = self._ports["web"]
        process = self._python(
            *("web", "pipeline.cli", "serve", "--host", HOST, "--port", str(port)), layer=2
        )
        return Part(process, lambda: http_answers(port, "/health", status=200))

    def _python(self, name: str, *arguments: str, layer: int, grace_s: float = 5.0) -> Process:
        return Process(
            name=name,
            command=[sys.executable, "-m", *arguments],
            folder=str(self._data / "temporary"),
            log=str(self.log(name)),
            layer=layer,
            grace_s=grace_s,
        )
