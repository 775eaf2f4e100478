"""The outside world on one machine, and the pipeline's own processes in it: `World`."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from sandbox.cast import HOSTED_SERVERS, SERVERS, Cast
from sandbox.environment import (
    clean_environment,
    hosted_settings,
    sandbox_settings,
    write_door,
)
from sandbox.launch import launch
from sandbox.processes import HOST, SandboxError, Status, Supervisor, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

LOOK_S = 0.05
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class World:
    """A broker, S3, EC2 with SSM, Pexels, Celery's processes, each restarted when it dies.

    All of it listens on 127.0.0.1 and ends with the `with` block, or with this process if that is
    killed. Several worlds may be open at once.

    Attributes:
        data: The data folder, with `buckets/` (objects as plain files) and `logs/`.
        environment: All variables of the processes, few of them the user's own.
        ports: Port of each server by its name.
        links: Where a person can look, by name.
        door: A script that runs its arguments as a command inside the sandbox.
    """

    data: Path
    environment: dict[str, str]
    ports: dict[str, int]
    links: dict[str, str]
    door: Path

    def __init__(
        self,
        data: Path | None = None,
        *,
        celery: bool = True,
        hosted: bool = False,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        """Describes a world; entering it starts it.

        Args:
            data: Folder to keep the data in, or to reopen; None: a temporary one.
            celery: Whether to start Celery's processes too, or the servers alone.
            hosted: Whether a stand-in of hosted Lightly selects, or our own engine.
            settings: Variables that go before the sandbox's own.
        """
        self._kept_data = data
        self._celery = celery
        self._hosted = hosted
        self._settings = settings

    def __enter__(self) -> Self:
        servers = SERVERS + (HOSTED_SERVERS if self._hosted else ())
        self.ports = {name: free_port() for name in servers}
        hosted = hosted_settings(self.ports) if self._hosted else {}
        settings = {**sandbox_settings(self.ports), **hosted, **self._settings}
        with contextlib.ExitStack() as stack:
            stack.enter_context(_sigterm_ends())
            self.data = _open_folder(self._kept_data)
            temporary = self.data / "temporary"
            logs = {"LOG_DIR": ",".join(map(str, self._log_folders()))}
            clean = clean_environment(os.environ, temporary=temporary)
            self.environment = clean | logs | settings
            self._cast = Cast(self.data, self.environment, self.ports)
            self.links = self._make_links()
            self.door = self.data / "enter"
            self._supervisor = Supervisor(self.data)
            self._supervisor.start(self.environment, remove=None if self._kept_data else self.data)
            stack.callback(self._supervisor.stop)
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def processes(self) -> dict[str, Status]:
        """How each process fares, by name: its process id and how often it was restarted."""
        return self._supervisor.processes()

    def log(self, name: str) -> Path:
        """Returns the log file of a process."""
        return self._cast.log(name)

    def wait(self, on_restart: Callable[[str, Status], None] | None = None) -> None:
        """Blocks until Ctrl-C (KeyboardInterrupt) or SIGTERM (SystemExit).

        Args:
            on_restart: Told of each process that has died and was started again.

        Raises:
            SandboxError: If the supervisor has been killed.
        """
        before = self.processes
        while True:
            time.sleep(LOOK_S)
            self._supervisor.check()
            now = self.processes
            for name, status in now.items():
                if on_restart and status.restarts > before.get(name, status).restarts:
                    on_restart(name, status)
            before = now

    def _start(self) -> None:
        shutil.rmtree(self.data / "temporary", ignore_errors=True)
        for folder in ("logs", "temporary"):
            (self.data / folder).mkdir(exist_ok=True)
        write_door(self.door, self.environment)
        # The broker is up in no time, and whoever finds none waits seconds before the next try.
        launch(self._supervisor, self._cast.broker())
        celery = self._cast.celery() if self._celery else []
        lightly = self._cast.lightly() if self._hosted else []
        servers = [*self._cast.aws(), *self._cast.pexels(), *lightly]
        launch(self._supervisor, [*servers, *celery])

    def _log_folders(self) -> list[Path]:
        """The processes' own, and that of the worker on the instance."""
        return [self.data / "logs", self.data / "instance" / "tmp"]

    def _make_links(self) -> dict[str, str]:
        pages = f"{self.environment['WEB_BASIC_AUTH']}@{HOST}:{self.ports['web']}"
        flower = f"{self.environment['FLOWER_BASIC_AUTH']}@{HOST}:{self.ports['flower']}"
        celery = {"Pages": f"http://{pages}/", "Flower": f"http://{flower}/"}
        results = urlsplit(self.environment["S3_LIGHTLY_BUCKET"])
        folder = self.data / "buckets" / results.netloc / results.path.strip("/")
        return (celery if self._celery else {}) | {
            "Results": folder.as_uri(),
            "Logs": (self.data / "logs").as_uri(),
        }


def _open_folder(kept: Path | None) -> Path:
    if kept is None:
        return Path(tempfile.mkdtemp(prefix="curate-sandbox-")).resolve()
    folder = kept.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / "buckets").is_dir():
        message = f"{folder} has other files in it. Name an empty folder, or one of a sandbox."
        raise SandboxError(message)
    return folder


@contextlib.contextmanager
def _sigterm_ends() -> Iterator[None]:
    """Lets SIGTERM leave the `with` block in good order, unless the program has its own way."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
