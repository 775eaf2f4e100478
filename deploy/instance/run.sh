#!/usr/bin/env bash
# Starts hosted Lightly's Lightly Worker on this instance: one, however often it is launched.
#
# SCRIPT_PATH names this file. Settings: LIGHTLY_WORKER_IMAGE (with a tag), LIGHTLY_TOKEN_SECRET (in
# Secrets Manager, read with the instance's role), LIGHTLY_WORKER_ID (if runs ask for labels).
set -euo pipefail

# shellcheck source=container.sh
. "$(dirname "$(readlink -f "$0")")/container.sh"
read_settings

options=(--shm-size 1024m)
if nvidia-smi --list-gpus >/dev/null 2>&1; then
  options+=(--gpus all)
fi
if [ -n "${LIGHTLY_WORKER_ID:-}" ]; then
  options+=(--env LIGHTLY_WORKER_ID)
fi
start_container lightly-worker \
  "${LIGHTLY_WORKER_IMAGE:?Set it in $SETTINGS, for example to lightly/worker:2.11.2}" \
  LIGHTLY_TOKEN "${LIGHTLY_TOKEN_SECRET:?Set it in $SETTINGS to the name of a secret}" \
  "${options[@]}"
