"""Lets a video link lead only where it may, and connects to the address that was checked."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter

from curation.errors import OperatorError, RequestError, TransientError
from curation.links import public_url

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from requests import PreparedRequest

_PORTS = {"https": 443, "http": 80}
# RFC 6052: IPv6 addresses that a gateway turns into the IPv4 address in their last 32 bits.
_NAT64 = IPv6Network("64:ff9b::/96")


class LinkGuard:
    """Knows where links may lead: to https on public addresses, and to the hosts exempted.

    Args:
        allowed_hosts: `host` or `host:port` of hosts that may be http and may be private.
    """

    def __init__(self, allowed_hosts: Iterable[str]) -> None:
        self._allowed = {_host_and_port(entry) for entry in allowed_hosts}

    def addresses(self, url: str) -> list[str]:
        """Returns the IP addresses to which a request for `url` may connect, at least one.

        Raises:
            RequestError: If the link is not https, or its host is unknown or not public.
            TransientError: If the host's name cannot be looked up now.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        is_allowed = not self._allowed.isdisjoint({(host, port), (host, None)})
        if not (parts.scheme == "https" or (parts.scheme == "http" and is_allowed)):
            raise RequestError(
                f"{public_url(url)} is not an https link. Use https, or add "
                f"{host}:{port} to ALLOWED_VIDEO_HOSTS if you trust that host.",
                code="source:not-https",
            )
        addresses = _look_up(host, port, url)
        # One private address among public ones is enough to refuse: the name is not to be trusted.
        if not is_allowed and not all(map(is_public, addresses)):
            raise RequestError(
                f"{public_url(url)} leads to an address that is not public. Add {host}:{port} to "
                "ALLOWED_VIDEO_HOSTS if you trust that host.",
                code="source:private-address",
            )
        return addresses


class PinnedAdapter(HTTPAdapter):
    """Connects to one given address; the name stays in SNI, certificate check and `Host`.

    Without it the name would be looked up a second time when the connection is made, and could
    then lead elsewhere (DNS rebinding). Proxies from the environment are not used, because a
    proxy looks names up by itself.

    Args:
        address: IP address to connect to.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: bool | str,  # noqa: FBT001  # the signature of requests
        cert: str | tuple[str, str] | None = None,
    ) -> tuple[Any, Any]:
        """Returns where to connect, and under which name to check the certificate."""
        place, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        name = place["host"].strip("[]")
        return {**place, "host": self._address}, {**tls, "server_hostname": name}


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also when it hides an IPv4 address."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return ip.is_global and not ip.is_multicast
    hidden = ip.ipv4_mapped or ip.sixtofour
    if ip in _NAT64:
        hidden = IPv4Address(int(ip) & 0xFFFFFFFF)
    if hidden:
        return is_public(str(hidden))
    return ip.is_global and not ip.is_multicast


def _host_and_port(entry: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{entry}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or "@" in entry or entry != parts.netloc:
        raise OperatorError(
            f"ALLOWED_VIDEO_HOSTS: {entry!r} is not a host or host:port.",
            code="config:allowed-video-hosts",
        )
    return host, port


def _look_up(host: str, port: int, url: str) -> list[str]:
    """Asks the resolver, which also knows forms like `127.1` and `2130706433`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise TransientError(
                f"The name {host!r} cannot be looked up right now ({public_url(url)}).",
                code="source:dns",
            ) from error
        raise RequestError(
            f"There is no host {host!r} ({public_url(url)}). Check the link.",
            code="source:no-host",
        ) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
