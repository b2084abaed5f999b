#!/usr/bin/env bash
# Take the program and its units away. The database, the configuration and the user stay. Run by `make uninstall`.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "uninstall: run it as root (sudo make uninstall)" >&2; exit 1; }
for unit in aggregator-backup.timer aggregator-web.service aggregator.service; do
  if [ -e "/etc/systemd/system/$unit" ]; then systemctl disable --quiet --now "$unit" || true; fi
done
rm -f /etc/systemd/system/aggregator{,-web,-backup}.service /etc/systemd/system/aggregator-backup.timer
rm -f /etc/systemd/system/aggregator.service.d/10-notify-reload.conf
rmdir /etc/systemd/system/aggregator.service.d 2>/dev/null || true
rm -f /etc/sysusers.d/aggregator.conf /usr/local/bin/aggregator
rm -rf /opt/aggregator
systemctl daemon-reload || true
echo "removed. Left as they are: /var/lib/aggregator (the database), /etc/aggregator (the configuration), the user aggregator"
