#!/usr/bin/env bash
# Powers this instance off when nobody has renewed its lease in time, or when it has run too long.
#
# systemd runs it once a minute from the boot on (curation-watchdog.timer). It needs no network and
# no credentials. The pipeline renews the lease by SSM: it writes a time, in seconds since the epoch,
# to /run/curation/lease, which is in memory, so that each boot begins with no lease.
#
#   curation-watchdog          one look; `shutdown -h now` if the time is over
#   curation-watchdog keep 90  leaves the instance on for 90 minutes, whatever the lease says
#   curation-watchdog status   says until when it would stay on
#
# Settings: LEASE_TTL_S (how long after its boot an instance without a lease stays on) and
# MAX_UPTIME_S (how long any instance stays on). What cannot be read counts as not there.

# No `set -e`: whatever goes wrong here, the next line must be reached.
set -uo pipefail

readonly SETTINGS="${CURATION_SETTINGS:-/etc/curation/instance.env}"
readonly FOLDER="${CURATION_RUN:-/run/curation}"
readonly UPTIME="${CURATION_UPTIME:-/proc/uptime}"
readonly DEFAULT_LEASE_TTL_S=900
readonly DEFAULT_MAX_UPTIME_S=43200

main() {
  case "${1:-look}" in
    look) look ;;
    keep) keep "${2:-}" ;;
    status) echo "On until $(time_of "$(end)") ($(($(end) - $(uptime_s))) s from now)." ;;
    *)
      echo "Usage: curation-watchdog [keep MINUTES | status]" >&2
      return 64
      ;;
  esac
}

look() {
  note_lease
  if [ "$(uptime_s)" -lt "$(end)" ]; then
    return 0
  fi
  echo "The lease of this instance is over, or it has run too long. It is powered off." >&2
  if ! shutdown -h now; then
    echo "The shutdown has failed. It is tried again at the next look." >&2
    return 1
  fi
}

keep() {
  if ! [[ $1 =~ ^[0-9]{1,5}$ ]]; then
    echo "Usage: curation-watchdog keep MINUTES" >&2
    return 64
  fi
  if ! write keep "$(($(uptime_s) + 10#$1 * 60))"; then
    echo "It could not be noted. Are you root? Try: sudo curation-watchdog keep $1" >&2
    return 1
  fi
  main status
}

# The second of this boot at which it ends.
end() {
  local end max later
  end=$(setting LEASE_TTL_S "$DEFAULT_LEASE_TTL_S")
  max=$(setting MAX_UPTIME_S "$DEFAULT_MAX_UPTIME_S")
  for later in "$(number keep)" "$(end_of_lease)"; do
    if [ "$later" -gt "$end" ]; then end=$later; fi
  done
  if [ "$end" -gt "$max" ]; then end=$max; fi
  echo "$end"
}

# The second of this boot at which the lease is over. The clock is asked once for each lease, when
# it is new: whoever got one by SSM has a clock that is right. Later jumps of it are no matter.
end_of_lease() {
  local lease noted noted_end clock
  lease=$(lease)
  read -r noted noted_end <<<"$(first_line noted)"
  if [ "$lease" -eq 0 ] || [ "$lease" = "$noted" ]; then
    whole "$noted_end"
    return
  fi
  clock=$(whole "$(date +%s 2>/dev/null)")
  if [ "$clock" -gt 0 ]; then echo "$(($(uptime_s) + lease - clock))"; else echo 0; fi
}

note_lease() {
  local lease
  lease=$(lease)
  if [ "$lease" -gt 0 ]; then write noted "$lease $(end_of_lease)"; fi
}

# Ten digits, as the pipeline writes it; 0 if there is none.
lease() {
  local line
  line=$(first_line lease)
  if [ ${#line} -eq 10 ]; then whole "$line"; else echo 0; fi
}

# number NAME: what the file says, 0 if there is none or it says something else.
number() { whole "$(first_line "$1")"; }

first_line() {
  local line=""
  { read -r -n 100 line <"$FOLDER/$1"; } 2>/dev/null
  echo "$line"
}

# A new file takes the place of the old one, so that nobody reads half of one.
write() {
  mkdir -p "$FOLDER" 2>/dev/null &&
    printf '%s\n' "$2" 2>/dev/null >"$FOLDER/$1.$$" &&
    mv -fT "$FOLDER/$1.$$" "$FOLDER/$1" 2>/dev/null
}

# setting NAME DEFAULT: seconds, rounded up; a file that bash could not read is no reason to stay on.
setting() {
  local value
  value=$(sed -n "s/^[[:space:]]*\(export \)\?$1=//p" "$SETTINGS" 2>/dev/null | tail -n 1)
  value=${value%%[[:space:]#]*}
  value=${value//[\"\']/}
  if [[ $value =~ ^([0-9]{1,9})(\.([0-9]{1,9}))?$ ]]; then
    value=$((10#${BASH_REMATCH[1]} + (10#0${BASH_REMATCH[3]:-} > 0)))
  fi
  value=$(whole "$value")
  if [ "$value" -gt 0 ]; then echo "$value"; else echo "$2"; fi
}

# Without a clock of the boot nothing can be told, so the instance is as old as can be.
uptime_s() {
  local seconds=""
  { read -r seconds <"$UPTIME"; } 2>/dev/null
  if [[ ${seconds%%.*} =~ ^[0-9]{1,10}$ ]]; then echo "$((10#${seconds%%.*}))"; else echo 9999999999; fi
}

whole() {
  if [[ $1 =~ ^[0-9]{1,10}$ ]]; then echo "$((10#$1))"; else echo 0; fi
}

time_of() { date -d "$(($1 - $(uptime_s))) seconds" 2>/dev/null || echo "second $1 of this boot"; }

main "$@"
