"""What `shutdown -h now` does on a modelled instance: asks the stand-in to power it off.

Runs as a script, by its path, with the standard library alone.
"""

from __future__ import annotations

import http.client
import json
import os
import sys

_USAGE = 64  # EX_USAGE


def main() -> None:
    """Powers off the instance on which this process runs."""
    if sys.argv[1:] not in (["now"], ["-h", "now"], ["-P", "now"]):
        sys.stderr.write("The sandbox's shutdown knows only: shutdown [-h|-P] now\n")
        sys.exit(_USAGE)
    connection = http.client.HTTPConnection(os.environ["SANDBOX_ADDRESS"], timeout=10)
    body = json.dumps({"instance_id": os.environ["SANDBOX_INSTANCE_ID"]})
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/sandbox/power-off", body, headers)
    connection.getresponse()


if __name__ == "__main__":
    main()
