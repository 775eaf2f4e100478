"""AWS errors as both services of the stand-in answer them."""

from __future__ import annotations

_BAD_REQUEST = 400

# HTTP status of each code that is not 400 (EC2 API reference; botocore's retry rules).
_STATUS = {
    "AuthFailure": 401,
    "DryRunOperation": 412,
    "InsufficientInstanceCapacity": 500,
    "InternalError": 500,
    "InternalServerError": 500,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "Unavailable": 503,
    "UnauthorizedOperation": 403,
}


class AwsError(Exception):
    """An error that AWS would answer.

    Attributes:
        code: AWS's error code.
        message: AWS's error text.
        status: HTTP status of the answer.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = _STATUS.get(code, _BAD_REQUEST)
