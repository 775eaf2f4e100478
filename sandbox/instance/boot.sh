#!/usr/bin/env bash
# What the system of a real instance does at each boot: arms the watchdog, which then looks again and
# again until the instance is off. The watchdog is the real one (SANDBOX_WATCHDOG); only its clock of
# the boot, its settings and the time between two looks are the sandbox's.
set -uo pipefail

# A short lease must leave the modelled instance time for its boot, as a real one has minutes.
readonly LEAST_LEASE_S=15

if [ ! -x "${SANDBOX_WATCHDOG:-}" ]; then
  echo "There is no watchdog at SANDBOX_WATCHDOG, so nothing on this instance stops it."
  exit 0
fi
lease_ttl_s=${LEASE_TTL_S:-900}
if ! [ "${lease_ttl_s%%.*}" -ge "$LEAST_LEASE_S" ]; then lease_ttl_s=$LEAST_LEASE_S; fi
export CURATION_SETTINGS="$CURATION_RUN/instance.env" CURATION_UPTIME="$CURATION_RUN/uptime"
printf '%s\n' "LEASE_TTL_S=$lease_ttl_s" "MAX_UPTIME_S=${MAX_UPTIME_S:-}" >"$CURATION_SETTINGS"
while true; do
  echo "$SECONDS" >"$CURATION_UPTIME"
  "$SANDBOX_WATCHDOG"
  sleep "${SANDBOX_WATCHDOG_PERIOD_S:-2}"
done
