#!/usr/bin/env bash
# Starts the sandbox's Lightly Worker on the sandbox's instance, in the place of the container that
# a real instance runs. One per boot, however often it is launched, and gone when the boot ends.
# Needs flock(1) of util-linux, so Linux.
set -euo pipefail

# The Lightly Worker inherits the open file, and with it the lock.
exec 9>"${TMPDIR:-/tmp}/lightly-worker.${SANDBOX_INSTANCE_ID:-local}.lock"
if ! flock --nonblock 9; then
  echo "The Lightly Worker runs already."
  exit 0
fi
exec "${SANDBOX_PYTHON:-python3}" -m sandbox.lightly.worker "$@"
