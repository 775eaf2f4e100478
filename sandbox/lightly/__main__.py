"""Stand-in for the Lightly API on 127.0.0.1: `python -m sandbox.lightly --data DIR`.

The token that it accepts is LIGHTLY_TOKEN, from the environment, because a command line is for
everybody to read. Clients reach it through LIGHTLY_SERVER_LOCATION.

Everything here is modelled after the models of the `lightly` 1.5.26 client and the public
documentation; nothing was compared with the real service. Error codes, tag names, frame names and
what happens to a run whose Lightly Worker dies are guesses. Its own addresses:

    GET  /sandbox/health    it is up
    GET  /sandbox/calls     every request, as ground truth; `?from=N` leaves out the first N
    GET, POST, DELETE /sandbox/faults    script of what goes wrong (see `platform.py`)
    GET, POST /sandbox/plan     what the Lightly Worker does with runs (see `records.py`)
    POST /sandbox/results   what a run has selected; for the Lightly Worker (`worker.py`)
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from sandbox.lightly.platform import Platform
from sandbox.lightly.server import application

_HOST = "127.0.0.1"


def main() -> None:
    """Serves until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="sandbox.lightly", description="Lightly stand-in")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--data", type=Path, required=True, help="folder for state and call log")
    options = parser.parse_args()
    token = os.environ.get("LIGHTLY_TOKEN")
    if not token:
        parser.error("LIGHTLY_TOKEN is not set. Set it to the token that is to be accepted.")
    asyncio.run(_serve(options.port, options.data.resolve(), token))


async def _serve(port: int, data: Path, token: str) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    sockets = bind_sockets(port, _HOST)
    url = f"http://{_HOST}:{sockets[0].getsockname()[1]}"
    server = HTTPServer(application(Platform(data, token=token, url=url)))
    server.add_sockets(sockets)
    sys.stdout.write(f"Lightly stand-in ready on {url}\n")
    sys.stdout.flush()
    await ended.wait()
    server.stop()


if __name__ == "__main__":
    main()
