"""Makes links fit for people: without credentials, signatures and other secrets."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus, urlsplit, urlunsplit

# Parameters by which S3, Google, Azure, CloudFront, Alibaba, Vimeo (`s`) and private servers let a
# holder in.
# A harmless parameter that looks like one loses its value too, which costs little.
_SECRET_NAME = re.compile(
    r"^x-|^s$|sig|token|key|secret|pass|pwd|auth|credential|policy|hmac|expires", re.IGNORECASE
)
_PARAMETER = re.compile(r"([^&;=]+)=([^&;]*)")


def public_url(url: str) -> str:
    """Returns the link without user info, fragment and the values of secret-like parameters.

    Anything but an http(s) link is returned as it is.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a link that cannot be read)"
    if parts.scheme not in ("http", "https"):
        return url
    host = parts.netloc.rpartition("@")[2]
    query = _PARAMETER.sub(_without_secret, parts.query)
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _without_secret(parameter: re.Match[str]) -> str:
    name = parameter[1]
    return f"{name}=***" if _SECRET_NAME.search(unquote_plus(name)) else parameter[0]
