#!/usr/bin/env bash
# Guess: mod-meter with another rate leaves the meter's statistics alone, or resets all of them, as for a meter that is new.
# Seen: the packet count starts at 0 again, and the duration goes on: the count divided by the duration is not a rate, and the age
#   of a meter does not tell that it was changed.
# Package: openvswitch-switch 3.1.0-2+deb12u1 (Debian 12), userspace datapath. Date: 2026-11-29.
set -euo pipefail
VERSION=3.1.0-2+deb12u1
work=$(mktemp -d)
cleanup() {
  for file in "$work"/*.pid; do
    if [ -f "$file" ]; then kill "$(cat "$file")" 2>/dev/null || true; fi
  done
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

# Unpacks this version of Open vSwitch into the temporary folder, with the libraries that this machine lacks.
missing=$(apt-get -s install --no-install-recommends "openvswitch-switch=$VERSION" | awk '$1 == "Inst" { print $2 }' | grep -v '^openvswitch-' || true)
apt-get -q -o APT::Sandbox::User=root download "openvswitch-switch=$VERSION" "openvswitch-common=$VERSION" $missing >/dev/null
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$(find "$work/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
export PATH="$work/root/usr/bin:$work/root/usr/sbin:$work/root/usr/lib/openvswitch-switch:$PATH" LD_LIBRARY_PATH="$libraries"
export OVS_RUNDIR=$work OVS_LOGDIR=$work OVS_DBDIR=$work OVS_SYSCONFDIR=$work OVS_PKGDATADIR=$work/root/usr/share/openvswitch
ovsdb-tool create conf.db "$OVS_PKGDATADIR/vswitch.ovsschema"
start() { "$@" --detach --no-chdir --log-file -vconsole:off -vsyslog:off 2>/dev/null; }
start ovsdb-server conf.db --remote="punix:$work/db.sock" --pidfile="$work/ovsdb-server.pid"
start_switch() {
  start ovs-vswitchd "unix:$work/db.sock" --pidfile="$work/ovs-vswitchd.pid" \
    --enable-dummy=override --disable-system --disable-system-route
}
start_switch
vsctl() { ovs-vsctl --db="unix:$work/db.sock" --timeout=10 "$@"; }

meter() { ovs-ofctl -O OpenFlow13 "$@"; }
# Prints packet count and duration in seconds.
stats() { meter meter-stats br0 meter=1 | sed -n 's/.*packet_in_count:\([0-9]*\).*duration:\([0-9.]*\)s.*/\1 \2/p'; }
vsctl add-br br0 -- set Bridge br0 datapath_type=dummy protocols=OpenFlow13 -- add-port br0 p1 -- set Interface p1 type=dummy
meter add-meter br0 meter=1,pktps,stats,bands=type=drop,rate=1000
meter add-flow br0 priority=9,actions=meter:1,normal
end=$((SECONDS + 10))
wait_for() { while ! eval "$1"; do [ "$SECONDS" -lt "$end" ] || { echo "waited for: $1"; exit 1; }; done; }
for packet in 1 2 3; do
  ovs-appctl netdev-dummy/receive p1 "0200000000020200000000010800$(printf '%092d' 0)"
done
wait_for '[ "$(stats | cut -d" " -f1)" = 3 ]'
# Until the meter is older than a second.
wait_for '[ "$(stats | cut -d" " -f2 | cut -d. -f1)" -ge 1 ]'
before=$(stats)
meter mod-meter br0 meter=1,pktps,stats,bands=type=drop,rate=2000
after=$(stats)
echo "packets and seconds before mod-meter: $before; after: $after"
[ "${before% *}" = 3 ] && [ "${after% *}" = 0 ] && [ "$(echo "${after#* }" | cut -d. -f1)" -ge 1 ]
