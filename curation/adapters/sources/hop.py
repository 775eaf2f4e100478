"""Sends one request to an address that was checked; redirects are for the caller to follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from curation.adapters.sources import answers
from curation.adapters.sources.guard import LinkGuard, PinnedAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# `identity`, because a compressed body may be a thousand times larger when unpacked.
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "video-curation"}


class Hop:
    """One request and its answer.

    Args:
        allowed_hosts: `host` or `host:port` of hosts that may be http and may be private.
        connect_timeout_s: Seconds to wait for a connection.
        read_timeout_s: Seconds to wait for the next byte.
        ca_bundle: File with the certificates to trust instead of the usual ones.
    """

    def __init__(
        self,
        allowed_hosts: Iterable[str],
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        ca_bundle: str | None,
    ) -> None:
        self._guard = LinkGuard(allowed_hosts)
        self._timeouts_s = (connect_timeout_s, read_timeout_s)
        self._verify = ca_bundle or True

    def ask(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Sends a GET request to the first checked address that answers.

        The caller closes the answer and its `connection`.

        Raises:
            RequestError: If the link leads nowhere it may.
            TransientError: If the host cannot be reached.
        """
        request = answers.prepare(url, {**_HEADERS, **headers})
        last: Exception | None = None
        for address in self._guard.addresses(str(request.url)):
            try:
                return PinnedAdapter(address).send(
                    request, stream=True, timeout=self._timeouts_s, verify=self._verify
                )
            except requests.RequestException as error:
                last = error
        raise answers.unreachable(url, last)
