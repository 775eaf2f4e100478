"""The proxy does the harm it is told to, at the moment it is told to, and none besides."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.proxy import Connection, Moment, Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server:
    """Answers each piece of data in upper case, and notes what it got."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        with contextlib.suppress(OSError):  # it does not listen any more
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, contextlib.suppress(ConnectionError):
            while data := client.recv(1000):
                self.got.append(data)
                client.sendall(data.upper())


@pytest.fixture
def server() -> Iterator[Server]:
    """A server behind the proxy."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A proxy before it."""
    with Proxy(lambda: server.port) as proxy:
        yield proxy


def connect(proxy: Proxy) -> socket.socket:
    """Returns a client's connection."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(client: socket.socket, data: bytes) -> bytes:
    """Sends data and returns the answer."""
    client.sendall(data)
    return client.recv(1000)


def test_proxy__passes_everything_on(proxy: Proxy) -> None:
    """Without harm each connection works as if there were no proxy."""
    with connect(proxy) as one, connect(proxy) as other:
        answers = [ask(one, b"a"), ask(other, b"b"), ask(one, b"c")]

    assert answers == [b"A", b"B", b"C"]


def test_proxy__passes_a_good_end_on(proxy: Proxy) -> None:
    """Data that came before a good end is not lost by it."""
    with connect(proxy) as client:
        client.sendall(b"x" * 500)
        client.shutdown(socket.SHUT_WR)

    # The next client is served: nothing hangs on the first one's end.
    with connect(proxy) as client:
        assert ask(client, b"a") == b"A"


@pytest.mark.parametrize(("moment", "got"), [(Moment.BEFORE, [b"x"]), (Moment.AFTER, [b"x", b"y"])])
def test_strike__cuts_before_or_after_the_server_acted(
    proxy: Proxy, server: Server, moment: Moment, got: list[bytes]
) -> None:
    """A cut before keeps the request from the server, a cut after the answer from the client."""
    strike = proxy.strike(b"y", moment, Connection.cut)

    with connect(proxy) as client:
        assert ask(client, b"x") == b"X"
        with pytest.raises(ConnectionResetError):
            ask(client, b"y")

    assert strike.struck.wait(5)
    assert server.got == got


def test_strike__comes_once_and_only_to_a_new_request(proxy: Proxy) -> None:
    """What was said before the strike was ordered does not bring it about, and it comes once."""
    acts: list[tuple[int, int]] = []
    with connect(proxy) as client:
        assert ask(client, b"y") == b"Y"
        proxy.strike(b"y", Moment.BEFORE, lambda connection: acts.append(connection.ports))

        answers = [ask(client, b"x"), ask(client, b"y"), ask(client, b"y")]
        ports = (client.getsockname()[1], proxy.port)

    assert answers == [b"X", b"Y", b"Y"]
    assert acts == [ports]


def test_strike__finds_a_match_in_two_pieces(proxy: Proxy) -> None:
    """A request that comes in pieces is recognised."""
    strike = proxy.strike(b"one-t.o", Moment.BEFORE, Connection.cut)

    with connect(proxy) as client:
        assert ask(client, b"one-") == b"ONE-"
        with pytest.raises(ConnectionResetError):
            ask(client, b"two")

    assert strike.struck.wait(5)


def test_cut__resets_open_connections(proxy: Proxy) -> None:
    """All open connections are reset; new ones work."""
    with connect(proxy) as client:
        assert ask(client, b"a") == b"A"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            ask(client, b"b")
    with connect(proxy) as client:
        assert ask(client, b"c") == b"C"


def test_refuses__resets_new_connections_until_healed(proxy: Proxy) -> None:
    """While it refuses, whoever connects is reset."""
    proxy.refuses = True
    with pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)

    proxy.heal()

    with connect(proxy) as client:
        assert ask(client, b"a") == b"A"


def test_connect__without_a_server_is_reset(proxy: Proxy, server: Server) -> None:
    """A server that is down looks the same through the proxy."""
    server.close()

    with pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)


def test_is_silent__keeps_connections_open_and_passes_nothing(proxy: Proxy, server: Server) -> None:
    """A half-open connection gives no answer and no error; healed, it is reset."""
    with connect(proxy) as client:
        assert ask(client, b"a") == b"A"
        proxy.is_silent = True
        client.sendall(b"b")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)

        proxy.heal()

        client.settimeout(5)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert server.got == [b"a"]


def test_delay__comes_late_but_complete(proxy: Proxy) -> None:
    """Slow data is the same data."""
    proxy.delay_s = 0.05

    with connect(proxy) as client:
        assert ask(client, b"a") == b"A"
