#!/usr/bin/env bash
# Guess: the match of a flow in a dump of any OpenFlow version identifies the flow: a strict modification with table, priority and
#   that match modifies it.
# Seen: "dl_vlan=0xffff" and "vlan_tci=0", written by ovs-ofctl over OpenFlow 1.0, match all 16 bits of the VLAN tag. Over OpenFlow
#   1.4 the same flow is shown as "vlan_tci=0x0000/0x1fff", without the bits of the priority. A strict modification with this match
#   succeeds and modifies nothing; where another flow has it, that one is modified. A dump over 1.4 shows both with equal matches.
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
of() { ovs-ofctl -O OpenFlow14 "$@"; }
port_of() { ovs-ofctl --no-stats dump-flows br0 | sed -n "s|.*priority=5,$1 actions=output:||p"; }
ovs-ofctl add-flow br0 priority=5,dl_vlan=0xffff,actions=output:1
shown=$(of --no-stats dump-flows br0 | sed -n 's/.*priority=5,\(\S*\) actions=.*/\1/p')
of --strict mod-flows br0 "priority=5,$shown,actions=output:2"
seen="shown over 1.4: $shown, output after a modification with it: $(port_of vlan_tci=0x0000)"
of add-flow br0 "priority=5,$shown,actions=output:3"
of --strict mod-flows br0 "priority=5,$shown,actions=output:4"
seen+=", with another flow: $(port_of vlan_tci=0x0000) and $(port_of vlan_tci=0x0000/0x1fff)"
seen+=", flows with this match over 1.4: $(of --no-stats dump-flows br0 | grep -c "priority=5,$shown ")"
echo "$seen"
[ "$seen" = "shown over 1.4: vlan_tci=0x0000/0x1fff, output after a modification with it: 1, with another flow: 1 and 4, flows with this match over 1.4: 2" ]
