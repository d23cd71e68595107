#!/usr/bin/env bash
# Guess: the meter_id of a `controller` action is looked up when the action is executed: a meter that is added later limits the
#   action, and without a meter of that id nothing does.
# Seen: the id is looked up only when the flow is written. Without the meter the action is unmetered, and stays so when the meter
#   is added. After the meter was deleted, the action uses the next meter that is added, whatever its id, because that one gets
#   the freed id of the datapath. Writing the flow again, with the same actions, looks up the id again.
# Package: openvswitch-switch 3.1.0-2+deb12u1 (Debian 12), userspace datapath. Date: 2026-11-28.
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
METER=meter=9,pktps,band=type=drop,rate=100
FLOW=udp,actions=controller\(id=5,meter_id=9\)
of() { ovs-ofctl -O OpenFlow14 "$@"; }
is_metered() { ovs-appctl ofproto/trace br0 in_port=1,udp | grep 'Datapath actions' | grep -q meter && echo metered || echo unmetered; }
of add-flow br0 "$FLOW"
seen="without the meter: $(is_metered)"
of add-meter br0 "$METER"
seen+=", meter added: $(is_metered)"
of --strict mod-flows br0 "$FLOW"
seen+=", flow written again: $(is_metered)"
of del-meter br0 meter=9
of add-meter br0 meter=10,pktps,band=type=drop,rate=100
seen+=", meter 9 deleted and meter 10 added: $(is_metered)"
echo "$seen"
[ "$seen" = "without the meter: unmetered, meter added: unmetered, flow written again: metered, meter 9 deleted and meter 10 added: metered" ]
