#!/usr/bin/env bash
# Installs the watchdog on this instance and arms it, now and at each boot. Run it as root; again
# after an update. DESTDIR is put in front of all paths.
set -euo pipefail

folder=$(dirname "$(readlink -f "$0")")
destination=${DESTDIR:-}

install -D --mode 0755 "$folder/watchdog.sh" "$destination/usr/local/sbin/curation-watchdog"
for unit in curation-watchdog.service curation-watchdog.timer; do
  install -D --mode 0644 "$folder/$unit" "$destination/etc/systemd/system/$unit"
done
systemctl daemon-reload
systemctl enable --now curation-watchdog.timer
# What an earlier version of the template has set up.
systemctl disable --now longest-uptime.timer 2>/dev/null || true
"$destination/usr/local/sbin/curation-watchdog" status
