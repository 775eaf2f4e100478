"""Stand-in for the Pexels API on 127.0.0.1: `python -m sandbox.pexels --data DIR`.

The key that it accepts is PEXELS_API_KEY, from the environment, because a command line is for
everybody to read. Clients reach it through PEXELS_API_URL, and fetch the files if its host is in
ALLOWED_VIDEO_HOSTS.

Everything here is modelled after Pexels's public documentation; nothing was compared with the real
service. What is modelled: both listings of videos under both generations of their path, pages, the
key, the headers of the rate limit, and files with ranges. What is not: photos, collections,
filters, and the rate limit itself (script a 429). Its own addresses:

    GET  /sandbox/health    it is up
    GET  /sandbox/calls     every request, as ground truth, and whether it carried a key
    GET, POST, DELETE /sandbox/faults    script of what goes wrong (see `server.py`)
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

from sandbox.pexels.server import StandIn, application

_HOST = "127.0.0.1"


def main() -> None:
    """Serves until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="sandbox.pexels", description="Pexels stand-in")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--data", type=Path, required=True, help="folder for files and call log")
    options = parser.parse_args()
    key = os.environ.get("PEXELS_API_KEY")
    if not key:
        parser.error("PEXELS_API_KEY is not set. Set it to the key that is to be accepted.")
    asyncio.run(_serve(options.port, options.data.resolve(), key))


async def _serve(port: int, data: Path, key: str) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    sockets = bind_sockets(port, _HOST)
    url = f"http://{_HOST}:{sockets[0].getsockname()[1]}"
    server = HTTPServer(application(StandIn(data, key=key, url=url)))
    server.add_sockets(sockets)
    sys.stdout.write(f"Pexels stand-in ready on {url}\n")
    sys.stdout.flush()
    await ended.wait()
    server.stop()


if __name__ == "__main__":
    main()
