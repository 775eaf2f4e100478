"""What `shutdown -h now` does on a modelled instance: asks the stand-in to power it off.

Runs as a script, by its path, with the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request

_USAGE = 64  # EX_USAGE


def main() -> None:
    """Powers off the instance on which this process runs."""
    if sys.argv[1:] not in (["now"], ["-h", "now"], ["-P", "now"]):
        sys.stderr.write("The sandbox's shutdown knows only: shutdown [-h|-P] now\n")
        sys.exit(_USAGE)
    request = urllib.request.Request(  # noqa: S310  # the stand-in's own http address
        f"{os.environ['SANDBOX_URL']}/sandbox/power-off",
        data=json.dumps({"instance_id": os.environ["SANDBOX_INSTANCE_ID"]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310  # the same


if __name__ == "__main__":
    main()
