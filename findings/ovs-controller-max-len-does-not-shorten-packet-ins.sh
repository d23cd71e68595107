#!/usr/bin/env bash
# Guess: a packet-in of the action controller(max_len=64) has 64 bytes of the packet, as OpenFlow 1.3.5, section 7.2.5, has it.
# Seen: the packet-in has the whole packet. The limit is in the flow and in dumps, and Open vSwitch does not apply it.
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

vsctl add-br br0 -- set Bridge br0 datapath_type=dummy protocols=OpenFlow13 \
  -- add-port br0 p1 -- set Interface p1 type=dummy ofport_request=1
ovs-ofctl -O OpenFlow13 add-flow br0 'priority=9,in_port=1,actions=controller(max_len=64)'
ovs-ofctl -O OpenFlow13 monitor br0 64 --detach --no-chdir --pidfile="$work/monitor.pid" --unixctl="$work/monitor.ctl" \
  -vconsole:off -vsyslog:off >seen 2>&1
payload=$(printf '00%.0s' {1..286})
frame=ffffffffffff0200000000010900$payload
end=$((SECONDS + 10))
while ! grep -q 'total_len=' seen; do
  [ "$SECONDS" -lt "$end" ] || { echo 'no packet-in came'; exit 1; }
  ovs-appctl netdev-dummy/receive p1 "$frame"
  ovs-appctl -t "$work/monitor.ctl" ofctl/barrier >/dev/null
done
ovs-ofctl -O OpenFlow13 --no-stats dump-flows br0
grep -m1 -o 'total_len=.*' seen | tee line
grep -q "total_len=300.*data_len=300" line
