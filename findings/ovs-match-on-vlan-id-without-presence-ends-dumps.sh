#!/usr/bin/env bash
# Guess: a dump over OpenFlow 1.3 or later shows each flow that the switch has accepted over OpenFlow 1.0, in its own words.
# Seen: a flow that matches a VLAN id without the bit of its presence, such as "vlan_tci=0x0005", is accepted over OpenFlow 1.0 with
#   Nicira's match, and shown over 1.0. The replies over 1.3, 1.4 and 1.5 have an id without presence beside a priority; "ovs-ofctl
#   dump-flows" refuses such a reply with an error and shows no flow of the bridge.
# Package: openvswitch-switch 3.1.0-2+deb12u1 (Debian 12), userspace datapath. Date: 2026-12-01.
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

vsctl add-br br0 -- set Bridge br0 datapath_type=dummy -- add-port br0 p1 -- set Interface p1 type=dummy ofport_request=1
dump() { { ovs-ofctl -O "OpenFlow$1" --no-stats dump-flows br0 2>/dev/null || echo error; } | sed -n 's/.*\(vlan_tci=0x[0-9a-f]*\).*/\1/p; /^error$/p' | sort -u | paste -sd+; }
ovs-ofctl add-flow br0 priority=7,actions=output:1
ovs-ofctl --flow-format=NXM add-flow br0 priority=5,vlan_tci=0x0005,actions=output:1
seen="1.0: $(dump 10), 1.3: $(dump 13), 1.4: $(dump 14), 1.5: $(dump 15)"
echo "$seen"
[ "$seen" = "1.0: vlan_tci=0x0005, 1.3: error, 1.4: error, 1.5: error" ]
