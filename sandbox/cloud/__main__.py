"""Stand-in for EC2 and SSM on 127.0.0.1: `python -m sandbox.cloud --data DIR --instance-id i-…`.

Everything here is modelled after AWS's documentation and service models; nothing was compared
with a real account. What is modelled: the life of an instance and its rules, the SSM agent, Run
Command (the commands really run, as local processes that end with their instance), error codes,
eventual consistency, and the bill. What is not: signatures (any is accepted, none is refused),
permissions, paging, and everything else that EC2 and SSM can do.

AWS clients reach it through AWS_ENDPOINT_URL_EC2 and AWS_ENDPOINT_URL_SSM. Its own addresses:

    GET  /sandbox/health      it is up
    GET  /sandbox/instances   true state of each instance
    GET  /sandbox/billing     boots and seconds of each instance
    GET  /sandbox/calls       every request, as ground truth
    GET, POST, DELETE /sandbox/faults    script of what goes wrong (see `faults.py`)
    POST /sandbox/start, stop, power-off, agent-off, agent-on    a hand from outside
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from dataclasses import fields
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from sandbox.cloud.account import Account
from sandbox.cloud.ec2 import INSTANCE_ID
from sandbox.cloud.instance import Delays
from sandbox.cloud.server import application

_HOST = "127.0.0.1"


def main() -> None:
    """Serves until SIGTERM or Ctrl-C, then ends everything that runs on the instances."""
    parser = argparse.ArgumentParser(prog="sandbox.cloud", description="EC2 and SSM stand-in")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--data", type=Path, required=True, help="folder for state and call log")
    parser.add_argument("--instance-id", type=_instance_id, action="append", required=True)
    parser.add_argument("--boot-script", type=Path, help="what an instance runs when it boots")
    for delay in fields(Delays):
        option = f"--{delay.name.replace('_', '-')}"
        parser.add_argument(option, type=float, default=delay.default)
    options = parser.parse_args()
    delays = Delays(**{delay.name: getattr(options, delay.name) for delay in fields(Delays)})
    asyncio.run(_serve(options, delays))


async def _serve(options: argparse.Namespace, delays: Delays) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    sockets = bind_sockets(options.port, _HOST)
    address = f"{_HOST}:{sockets[0].getsockname()[1]}"
    data = options.data.resolve()
    account = Account(data, options.instance_id, delays, address, options.boot_script)
    await account.open()
    server = HTTPServer(application(account))
    server.add_sockets(sockets)
    sys.stdout.write(f"EC2 and SSM stand-in ready on http://{address}\n")
    sys.stdout.flush()
    await ended.wait()
    server.stop()
    await account.close()


def _instance_id(text: str) -> str:
    if not INSTANCE_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an instance id such as i-0123456789abcdef0"
        )
    return text


if __name__ == "__main__":
    main()
