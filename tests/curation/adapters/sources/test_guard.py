"""Where a video link may lead."""

from __future__ import annotations

import pytest

from curation.adapters.sources.guard import LinkGuard, is_public
from curation.errors import OperatorError, RequestError

PRIVATE_HOSTS = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "localhost",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
]


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_addresses__private__are_refused(host: str) -> None:
    """No spelling of a private, local or reserved address gets through."""
    guard = LinkGuard([])

    with pytest.raises(RequestError, match="not public") as caught:
        guard.addresses(f"https://{host}/clip.mp4")

    assert caught.value.code == "source:private-address"
    assert "ALLOWED_VIDEO_HOSTS" in caught.value.message


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_is_public__of_a_public_address(address: str) -> None:
    """Addresses of the open internet are allowed."""
    assert is_public(address)


def test_addresses__public__are_what_to_connect_to() -> None:
    """The answer is the list of addresses that were checked."""
    assert LinkGuard([]).addresses("https://1.1.1.1/clip.mp4") == ["1.1.1.1"]


@pytest.mark.parametrize(
    "url", ["http://1.1.1.1/clip.mp4", "ftp://1.1.1.1/clip.mp4", "file:///etc/passwd", "//host/a"]
)
def test_addresses__not_https__is_refused(url: str) -> None:
    """Only https is followed without an exemption."""
    guard = LinkGuard(["elsewhere"])

    with pytest.raises(RequestError, match="https") as caught:
        guard.addresses(url)

    assert caught.value.code == "source:not-https"


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080/clip.mp4"),
        ("127.0.0.1", "http://127.0.0.1:8080/clip.mp4"),
        ("LocalHost:80", "http://localhost/clip.mp4"),
        ("localhost:443", "https://LOCALHOST/clip.mp4"),
        ("[::1]:8080", "http://[::1]:8080/clip.mp4"),
    ],
)
def test_addresses__of_an_exempted_host(allowed: str, url: str) -> None:
    """An exempted host may be http and private; without a port, on every port."""
    assert set(LinkGuard([allowed]).addresses(url)) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8081/a", "http://127.0.0.1/a", "http://127.0.0.1.:8080/a"]
)
def test_addresses__exemption__is_for_that_port_only(url: str) -> None:
    """Another port of an exempted host is as strange as any host."""
    guard = LinkGuard(["127.0.0.1:8080"])

    with pytest.raises(RequestError):
        guard.addresses(url)


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".com"])
def test_addresses__unknown_host__is_refused(host: str) -> None:
    """A name that cannot exist is an error of the request, not one to be tried again."""
    guard = LinkGuard([host])

    with pytest.raises(RequestError, match="no host") as caught:
        guard.addresses(f"https://{host}/clip.mp4")

    assert caught.value.code == "source:no-host"


@pytest.mark.parametrize("entry", ["http://host", "host:port", "user@host", "host/path", ":80"])
def test_allowed_hosts__malformed__is_refused(entry: str) -> None:
    """A misspelt exemption is named when the source is made, not silently without effect."""
    with pytest.raises(OperatorError, match="ALLOWED_VIDEO_HOSTS"):
        LinkGuard([entry])
