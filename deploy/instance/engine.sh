#!/usr/bin/env bash
# Starts our engine's Celery worker on this instance: one, however often it is launched. It has a
# process for each core: the segments of a long video are embedded side by side, 200 MB each.
#
# SCRIPT_PATH names this file. Settings: CURATION_IMAGE (with a tag), REDIS_URL_SECRET (in Secrets
# Manager, read with the instance's role; its value begins with rediss://), and the pipeline's own
# S3_REGION, S3_INPUT_BUCKET, S3_LIGHTLY_BUCKET and, where it is changed, VISIBILITY_TIMEOUT_S.
set -euo pipefail

# shellcheck source=container.sh
. "$(dirname "$(readlink -f "$0")")/container.sh"
read_settings

options=(
  # On a network of its own it would be one hop too far from the instance's role.
  --network host
  --init --read-only --tmpfs /tmp:size=1g --cap-drop ALL --security-opt no-new-privileges
  --env ENGINE_CACHE_DIR=/tmp/engine
)
for name in S3_REGION S3_INPUT_BUCKET S3_LIGHTLY_BUCKET VISIBILITY_TIMEOUT_S; do
  if [ -n "${!name:-}" ]; then
    options+=(--env "$name")
  fi
done
start_container engine-worker \
  "${CURATION_IMAGE:?Set it in $SETTINGS to the image that deploy/Dockerfile builds}" \
  REDIS_URL "${REDIS_URL_SECRET:?Set it in $SETTINGS to the name of a secret}" \
  "${options[@]}" -- \
  celery -A pipeline worker -Q engine -n engine@%h -l INFO
