#!/usr/bin/env bash
# Put the program, its configuration and its units in place, or a newer version in the place of an older one.
# Debian/Ubuntu, as root. Run by `make install`; START=no puts all in place and starts nothing.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
prefix=/opt/aggregator
etc=/etc/aggregator
units=/etc/systemd/system
python=${PYTHON:-/usr/bin/python3}
start=${START:-yes}

fail() { echo "install: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "this changes /opt, /etc and the units: run it as root (sudo make install)"
command -v systemctl >/dev/null || fail "there is no systemd here"
command -v "$python" >/dev/null || fail "no $python: apt-get install -y python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is older than 3.11: make install PYTHON=python3.11"
"$python" -c 'import ensurepip' 2>/dev/null || fail "no virtual environments: apt-get install -y python3-venv"

case $("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))') in
  /root/* | /home/*) fail "$python is in a home folder, where a service may not look: make install PYTHON=/usr/bin/python3" ;;
esac

# --- the program: each version in a folder of its own, `current` points to the one in use --------------------------
previous=$(readlink -f "$prefix/current" 2>/dev/null || true)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$source/pyproject.toml")
release=$prefix/releases/$version-$(date -u +%Y%m%dT%H%M%SZ)
[ -e "$release" ] && fail "$release is there already; try again in a second"
trap '[ "$(readlink -f "$prefix/current" 2>/dev/null)" = "$release" ] || rm -rf "$release"' EXIT
echo "installing version $version into $release (about a minute)"
umask 022
mkdir -p "$prefix/releases"
"$python" -m venv "$release"
pip=("$release/bin/pip" --quiet --disable-pip-version-check --no-input)
"${pip[@]}" install --require-hashes -r "$source/requirements/runtime.txt"
"${pip[@]}" install --no-deps "$source"
"$release/bin/aggregator" --version >/dev/null || fail "the new version does not run; nothing was changed"
mkdir -p "$release/share/doc/aggregator"
cp "$source"/docs/*.md "$source/README.md" "$release/share/doc/aggregator/"

# --- its user --------------------------------------------------------------------------------------------------------
install -D -m 644 "$source/systemd/aggregator.sysusers" /etc/sysusers.d/aggregator.conf
systemd-sysusers /etc/sysusers.d/aggregator.conf

# --- the configuration: what you changed stays as it is ---------------------------------------------------------------
# `shipped FOLDER FILE` is a file as this script puts it in place: with the database where the unit has it.
shipped() { sed 's|^# path = ""|path = "/var/lib/aggregator/aggregator.db"|' "$1/$2"; }
old_config=""
[ -n "$previous" ] && old_config=$(echo "$previous"/lib/python3*/site-packages/aggregator/_config)
install -d -m 755 "$etc" "$etc/feeds"
install -d -m 700 "$etc/keys"
while read -r file; do
  place=$etc/$file
  if [ ! -e "$place" ]; then
    [ -n "$old_config" ] && [ -e "$old_config/$file" ] && continue # you removed it
    mkdir -p "$(dirname "$place")"
    shipped "$source/config" "$file" >"$place"
  elif shipped "$source/config" "$file" | cmp -s - "$place"; then
    continue
  elif [ -n "$old_config" ] && [ -e "$old_config/$file" ] && shipped "$old_config" "$file" | cmp -s - "$place"; then
    shipped "$source/config" "$file" >"$place.part" && mv "$place.part" "$place"
    echo "updated $place"
  else
    shipped "$source/config" "$file" >"$place.new"
    echo "kept your $place; this version's is $place.new"
  fi
done < <(cd "$source/config" && find . -type f \( -name '*.toml' -o -name '*.yaml' \) | sed 's|^\./||' | sort)
AGGREGATOR_CONFIG=$etc/aggregator.toml "$release/bin/aggregator" check-config >/dev/null || fail "the configuration is wrong (above); the version in use stays: mend it and install again"

# --- the units, and the change over -----------------------------------------------------------------------------------
for unit in aggregator.service aggregator-web.service aggregator-backup.service aggregator-backup.timer; do
  install -m 644 "$source/systemd/$unit" "$units/$unit"
done
rm -f "$units/aggregator.service.d/10-notify-reload.conf"
if [ "$(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')" -ge 253 ]; then
  mkdir -p "$units/aggregator.service.d"
  printf '[Service]\nType=notify-reload\nExecReload=\n' >"$units/aggregator.service.d/10-notify-reload.conf"
fi
ln -sfn "$release" "$prefix/current.new" && mv -T "$prefix/current.new" "$prefix/current"
ln -sfn "$prefix/current/bin/aggregator" /usr/local/bin/aggregator

if [ "$start" = yes ]; then
  systemctl daemon-reload
  systemctl enable --quiet aggregator.service
  if ! systemctl restart aggregator.service; then
    journalctl -u aggregator.service -n 20 --no-pager -o cat >&2 || true
    [ -n "$previous" ] && echo "install: the version before is still there: ln -sfn $previous $prefix/current && systemctl restart aggregator" >&2
    exit 1
  fi
  systemctl try-restart aggregator-web.service
  echo "it runs: systemctl status aggregator; aggregator health; the database is /var/lib/aggregator/aggregator.db"
fi
# The version before stays, for a way back; older ones go.
find "$prefix/releases" -mindepth 1 -maxdepth 1 -type d ! -path "$release" ! -path "${previous:-none}" -exec rm -rf {} +
