#!/usr/bin/env bash
# Starts the engine's Celery worker on the sandbox's instance, and again whenever it dies. It has a
# process for each core: the segments of a long video are embedded side by side.
# As on a real instance: one per boot, however often it is launched, and gone when the boot ends.
# Needs flock(1) of util-linux, so Linux.
set -euo pipefail

# The lock belongs to whoever has the file open, the Celery worker included: should this script
# alone be killed, its worker still counts.
exec 9>"${TMPDIR:-/tmp}/engine-worker.${SANDBOX_INSTANCE_ID:-local}.lock"
if ! flock --nonblock 9; then
  echo "The engine's Celery worker runs already."
  exit 0
fi

while true; do
  status=0
  "${SANDBOX_PYTHON:-python3}" -m celery -A pipeline worker -Q engine \
    --hostname "engine@${SANDBOX_INSTANCE_ID:-local}" --loglevel INFO || status=$?
  echo "The engine's Celery worker ended with exit code $status. It is started again."
  sleep 1
done
