"""A TCP proxy on 127.0.0.1 that does harm at a chosen moment: cut, hold, delay, or any act."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_HOST = "127.0.0.1"
_CHUNK_BYTES = 65_536
# What is kept of a request to find a match that came in two pieces.
_TAIL_BYTES = 256
# Closing with this sends a reset, as a firewall or a dying server does, instead of a good end.
_RESET = struct.pack("ii", 1, 0)


class Moment(StrEnum):
    """When a strike comes."""

    BEFORE = "before"  # the request has not reached the server
    AFTER = "after"  # the server has acted, its answer has not reached the client


@dataclass
class Strike:
    """What is done when a request comes by.

    Attributes:
        match: Pattern of the request that it waits for.
        moment: Before or after the server acted.
        act: Called once with the connection; what it does not cut goes on.
        struck: Set when the act is over.
    """

    match: re.Pattern[bytes]
    moment: Moment
    act: Callable[[Connection], object]
    struck: threading.Event = field(default_factory=threading.Event)


class Connection:
    """A client's connection and the one to the server that belongs to it.

    Attributes:
        ports: The client's end and ours, by which the client's process can be found.
        is_cut: Whether it has ended.
    """

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.ports: tuple[int, int] = (client.getpeername()[1], client.getsockname()[1])
        self.is_cut = False
        self._client = client
        self._server = server
        self._due: Strike | None = None

    def cut(self) -> None:
        """Resets both ends at once."""
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._close()

    def start(self, proxy: Proxy) -> None:
        """Pumps in both directions until one end is closed."""
        for pump in (self._requests, self._answers):
            threading.Thread(target=self._run, args=(pump, proxy), daemon=True).start()

    def _run(self, pump: Callable[[Proxy], None], proxy: Proxy) -> None:
        try:
            pump(proxy)
        except OSError:  # one end was reset, so the other one is
            self.cut()
        else:
            self._close()

    def _close(self) -> None:
        self.is_cut = True
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                # Wakes the thread that reads from it, which closing alone would not.
                end.shutdown(socket.SHUT_RD)
            end.close()

    def _requests(self, proxy: Proxy) -> None:
        tail = b""
        while chunk := self._client.recv(_CHUNK_BYTES):
            strike = proxy.take(tail, chunk)
            tail = (tail + chunk)[-_TAIL_BYTES:]
            if strike and strike.moment is Moment.BEFORE:
                _do(strike, self)
            elif strike:
                self._due = strike
            proxy.pass_on(self._server, chunk)

    def _answers(self, proxy: Proxy) -> None:
        while chunk := self._server.recv(_CHUNK_BYTES):
            if self._due:
                strike, self._due = self._due, None
                _do(strike, self)
            proxy.pass_on(self._client, chunk)


class Proxy:
    """Forwards to a port, and does harm when told to.

    Attributes:
        port: Where it listens.
        delay_s: Seconds by which each piece of data is late.
        is_silent: Whether connections stay open but nothing passes, as when a cable is pulled.
        refuses: Whether new connections are reset at once.
    """

    def __init__(self, target: Callable[[], int]) -> None:
        """Takes the question for the server's port, which may be known later."""
        self._target = target
        self._listener = socket.create_server((_HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.delay_s = 0.0
        self.is_silent = False
        self.refuses = False
        self._strikes: list[Strike] = []
        self._lock = threading.Lock()
        self._connections: list[Connection] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuses = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def strike(self, match: bytes, moment: Moment, act: Callable[[Connection], object]) -> Strike:
        """Has `act` called once, when a request comes by in which the pattern `match` is found."""
        strike = Strike(re.compile(match), moment, act)
        self._strikes.append(strike)
        return strike

    def cut(self) -> None:
        """Cuts all connections that are open now."""
        while self._connections:
            self._connections.pop().cut()

    def heal(self) -> None:
        """Ends all harm; connections that were silent are cut, as their clients gave them up."""
        self.delay_s, self.refuses = 0.0, False
        self._strikes.clear()
        if self.is_silent:
            self.is_silent = False
            self.cut()

    def take(self, tail: bytes, chunk: bytes) -> Strike | None:
        """Returns the strike that a piece of a request brings about, and forgets it.

        Args:
            tail: The end of what came before.
            chunk: The new piece; a match must end in it.
        """
        with self._lock:
            for strike in self._strikes:
                found = strike.match.finditer(tail + chunk)
                if any(match.end() > len(tail) for match in found):
                    self._strikes.remove(strike)
                    return strike
        return None

    def pass_on(self, end: socket.socket, chunk: bytes) -> None:
        """Sends data to its end, unless this proxy has something against it."""
        if self.delay_s:
            time.sleep(self.delay_s)
        if not self.is_silent:
            end.sendall(chunk)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            if self.refuses:
                raise ConnectionRefusedError
            server = socket.create_connection((_HOST, self._target()))
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(client, server)
        self._connections = [*(one for one in self._connections if not one.is_cut), connection]
        connection.start(self)


def _do(strike: Strike, connection: Connection) -> None:
    try:
        strike.act(connection)
    finally:
        strike.struck.set()
