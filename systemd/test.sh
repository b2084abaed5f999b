#!/usr/bin/env bash
# Install the program in a throw-away copy of this machine, boot it under systemd-nspawn with no network but loopback,
# and mistreat the unit. Nothing is written to the real root. As root; about three minutes, most of it pip.
# apt-get install -y systemd-container sqlite3 curl python3-venv
set -uo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo "test-systemd boots a container: run it as root" >&2; exit 1; }
case $repo in /tmp/* | /run/*) echo "what boots sees a /tmp and a /run of its own: move the repository out of $repo" >&2; exit 1 ;; esac
for tool in systemd-nspawn nsenter sqlite3 curl; do
  command -v $tool >/dev/null || { echo "no $tool: apt-get install -y systemd-container sqlite3 curl" >&2; exit 1; }
done
work=$(mktemp -d /tmp/aggregator-systemd.XXXX); root=$work/root
failures=0
check() { # check WHAT COMMAND...: one line, and the count of failures
  local what=$1; shift
  if "$@" >"$work/out" 2>&1; then echo "ok      $what"; else echo "FAILED  $what"; sed 's/^/        /' "$work/out" | tail -15; failures=$((failures + 1)); fi
}
clean() {
  [ -n "${boot:-}" ] && { inside systemctl poweroff >/dev/null 2>&1; for _ in $(seq 50); do kill -0 "$boot" 2>/dev/null || break; sleep .2; done; kill "$boot" 2>/dev/null; wait "$boot" 2>/dev/null; }
  umount -R -l "$root" 2>/dev/null; umount -l "$work" 2>/dev/null; rm -rf "$work" "$work.log"
}
trap clean EXIT

mount -t tmpfs -o size=4g tmpfs "$work"
mkdir "$work"/{upper,scratch,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/scratch" "$root"
rm -rf "$root"/etc/systemd/system/*.wants "$root"/opt/aggregator "$root"/etc/aggregator "$root"/var/lib/aggregator
: >"$root/etc/fstab"; : >"$root/etc/machine-id"
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"

began=$(date +%s)
mount -t proc proc "$root/proc"; mount --bind /dev "$root/dev"
check "make install, before the boot" chroot "$root" make -C "$repo" install START=no
umount "$root/dev" "$root/proc"
echo "        it took $(($(date +%s) - began)) s"

timeout -k 5 900 systemd-nspawn -q -D "$root" -M "aggregator$$" --register=no --keep-unit --private-network \
  --resolv-conf=off --console=pipe -b </dev/null >"$work.log" 2>&1 &
boot=$!
inside() { nsenter -t "$leader" -m -u -i -n -p -C -- "$@"; }
online() { nsenter -t "$leader" -m -u -i -p -C -- "$@"; } # with this machine's network: pip needs it
for _ in $(seq 150); do # until it has booted
  nspawn=$(pgrep -P $boot | head -1); leader=$([ -n "$nspawn" ] && pgrep -P "$nspawn" | head -1)
  [ -n "$leader" ] && state=$(inside systemctl is-system-running 2>/dev/null)
  [[ "${state:-}" =~ ^(running|degraded)$ ]] && break; sleep .2
done
echo "        booted: ${state:-no}, $(inside systemctl --version | head -1)"

unit=aggregator.service; db=/var/lib/aggregator/aggregator.db
pid() { inside systemctl show -p MainPID --value $unit; }
sql() { inside sqlite3 "file:$db?mode=ro" "$1"; }
said() { inside journalctl -u $unit -o cat --no-pager | grep -q "$1"; }
within() { # within SECONDS COMMAND...: until the command succeeds
  local end=$(($(date +%s) + $1)); shift
  until "$@" 2>/dev/null; do [ "$(date +%s)" -lt $end ] || return 1; sleep .3; done
}
another() { local now; now=$(pid); [ "$now" != "$1" ] && [ "$now" != 0 ] && [ "$(inside systemctl is-active $unit)" = active ]; }
some() { [ "$(sql "SELECT count(*) FROM $1")" -gt 0 ]; }
more() { [ "$(sql 'SELECT count(*) FROM items')" -gt "$1" ]; }
is() { [ "$1" "$2" "$3" ] || { echo "$1, not $2 $3"; return 1; }; }

inside bash -c "echo 'nameserver 127.0.0.1' >/etc/resolv.conf; rm -f /etc/aggregator/feeds/*.toml; echo secret >/etc/aggregator/keys/embedding"
inside python3 - <<'PY'
from pathlib import Path
place = Path("/etc/aggregator/aggregator.toml")
text = place.read_text()
for line in ('allow_networks = ["127.0.0.0/8"]', "host_spacing_s = 0.0", "first_interval_s = 1", "floor_s = 1", "ceiling_s = 2"):
    name = line.split(" = ")[0]
    text = "\n".join(line if old.startswith(f"# {name} = ") else old for old in text.split("\n"))
place.write_text(text)
PY
nsenter -t "$leader" -m -u -i -n -p -C -- env "PYTHONPATH=$repo/tests/kit" /opt/aggregator/current/bin/python -m named_publishers /etc/aggregator/feeds/test.toml >"$work.log" 2>&1 &
within 10 inside test -s /etc/aggregator/feeds/test.toml || { echo "FAILED  the publishers do not start"; cat "$work.log"; exit 1; }
# Times fit for a test.
inside bash -c 'mkdir -p /etc/systemd/system/aggregator.service.d; printf "[Service]\nWatchdogSec=8\nRestartSec=1\n" >/etc/systemd/system/aggregator.service.d/test.conf'
inside systemctl daemon-reload

check "verify finds nothing" inside bash -c "systemd-analyze verify $unit aggregator-web.service aggregator-backup.service aggregator-backup.timer 2>&1 | tee /dev/stderr | { ! grep -q aggregator; }"
for name in aggregator aggregator-web aggregator-backup; do
  check "$name: $(inside systemd-analyze security --no-pager $name.service 2>/dev/null | tail -1 | sed 's/.*level for //')" inside systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/$name.service
done

began=$(date +%s%N)
check "start: active when READY came" inside systemctl start $unit
[ "$failures" = 0 ] || { inside journalctl -u $unit -o cat --no-pager | tail -30; exit 1; }
echo "        after $((($(date +%s%N) - began) / 1000000)) ms, $(inside systemctl show -p Type --value $unit), user $(inside ps -o user= -p "$(pid)")"
check "it resolves names, fetches, parses in workers and stores" within 30 more 40
check "the embedder's model makes vectors" within 60 some vectors
check "items get stories" within 60 some story_items
check "STATUS tells what it holds" bash -c "echo '$(inside systemctl show -p StatusText --value $unit)' | grep -E '[0-9]+ feeds, [0-9]+ items'"
check "the folder is 0750, the file 0640, both the group's" is "$(inside stat -c %a%G /var/lib/aggregator $db | tr '\n' ' ')" = "750aggregator 640aggregator "
inside useradd -M -G aggregator reader; inside useradd -M stranger
check "a member of the group reads while it writes" inside runuser -u reader -- sqlite3 "file:$db?mode=ro" "SELECT count(*) FROM coverage"
check "nobody else does" bash -c "! $(printf '%q ' nsenter -t "$leader" -m -u -i -n -p -C -- runuser -u stranger -- sqlite3 "file:$db?mode=ro" "SELECT 1 FROM coverage") 2>/dev/null"
check "keys are given as credentials" inside test -s /run/credentials/$unit/keys_embedding
check "the key's file is root's alone" inside bash -c '! runuser -u aggregator -- cat /etc/aggregator/keys/embedding 2>/dev/null'
check "a second daemon is refused with status 5" bash -c "$(printf '%q ' nsenter -t "$leader" -m -u -i -n -p -C -- runuser -u aggregator -- aggregator run) 2>/dev/null; [ \$? = 5 ]"

old=$(pid); items=$(sql 'SELECT count(*) FROM items'); began=$(date +%s%N); inside kill -9 "$old"
check "kill -9: started again" within 30 another "$old"
echo "        after $((($(date +%s%N) - began) / 1000000)) ms"
check "it polls on" within 30 more "$items"
check "the database is whole" is "$(sql 'PRAGMA integrity_check')" = ok
old=$(pid); began=$(date +%s%N); inside kill -STOP "$old"
check "hang (SIGSTOP): the watchdog ends it, it is started again" within 60 another "$old"
echo "        after $((($(date +%s%N) - began) / 1000000)) ms"
check "the journal names the watchdog" within 10 said "Watchdog timeout"

old=$(pid)
inside sed -i 's/^# tick_s = .*/tick_s = 1.0/' /etc/aggregator/aggregator.toml
check "reload" inside systemctl reload $unit
check "the same process goes on" is "$(pid) $(inside systemctl is-active $unit)" = "$old active"
inside sed -i 's/^tick_s = .*/tick_s = "no"/' /etc/aggregator/aggregator.toml
inside systemctl reload $unit
check "reload of a broken configuration: it says why" within 10 said "tick_s.*stays as it was"
check "and goes on" is "$(pid) $(inside systemctl is-active $unit)" = "$old active"
inside sed -i 's/^tick_s = .*/tick_s = 0.5/' /etc/aggregator/aggregator.toml

check "aggregator-web.service starts" inside systemctl start aggregator-web.service
check "its pages answer" within 30 inside curl -fsS -o /dev/null http://127.0.0.1:8001/
check "aggregator-backup.service makes a copy" inside systemctl start aggregator-backup.service
check "the copy is whole" inside bash -c "sqlite3 \$(ls /var/lib/aggregator/backups/*.db | tail -1) 'PRAGMA integrity_check' | grep -qx ok"

items=$(sql 'SELECT count(*) FROM items'); old=$(pid); release=$(inside readlink -f /opt/aggregator/current); began=$(date +%s)
inside cp /etc/resolv.conf /root/resolv.conf; inside bash -c "cat >/etc/resolv.conf" </etc/resolv.conf
check "upgrade in place: make install over what runs" online make -C "$repo" install
echo "        it took $(($(date +%s) - began)) s"
inside cp /root/resolv.conf /etc/resolv.conf
check "another release runs" is "$(inside readlink -f /opt/aggregator/current) $(inside systemctl is-active $unit)" != "$release active"
check "by another process" another "$old"
check "what you changed in /etc/aggregator stays" inside grep -q '^tick_s = 0.5' /etc/aggregator/aggregator.toml
check "the data are all there, and it polls on" within 30 more "$items"

began=$(date +%s%N)
check "stop" inside systemctl stop $unit
echo "        after $((($(date +%s%N) - began) / 1000000)) ms"
check "ended with success and status 0" is "$(inside systemctl show -p Result -p ExecMainStatus --value $unit | tr '\n' ' ')" = "success 0 "
check "a member of the group reads while it is stopped" inside runuser -u reader -- sqlite3 "file:$db?mode=ro" "SELECT count(*) FROM coverage"
items=$(sql 'SELECT count(*) FROM items')
check "make uninstall" inside make -C "$repo" uninstall
check "data, configuration and user stay" is "$(sql 'SELECT count(*) FROM items') $(inside test -e /etc/aggregator/aggregator.toml && echo yes) $(inside id -un aggregator)" = "$items yes aggregator"
check "the program and its units are gone" inside bash -c '! ls /opt/aggregator /etc/systemd/system/aggregator* /usr/local/bin/aggregator 2>/dev/null'
echo "$failures failures"
exit $((failures > 0))
