#!/usr/bin/env bash
# Guess: "ovs-ofctl replace-flows" writes each flow as the file has it, as "add-flow" does.
# Seen: of these four flags of a flow that it writes it keeps send_flow_rem. no_packet_counts, reset_counts and check_overlap are gone,
#   without a message, also when the flow had them before; add-flow with the same text sets them.
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
of() { ovs-ofctl -O OpenFlow15 "$@"; }
flags() { of --no-stats dump-flows br0 | grep -oE '(send_flow_rem|check_overlap|reset_counts|no_packet_counts)' | sort | paste -sd+; }
FLOW=send_flow_rem,check_overlap,reset_counts,no_packet_counts,priority=5,actions
of add-flow br0 "$FLOW=output:1"
seen="add-flow: $(flags)"
echo "$FLOW=output:2" >file
of replace-flows br0 file
seen+=", replace-flows: $(flags)"
echo "$seen"
[ "$seen" = "add-flow: check_overlap+no_packet_counts+reset_counts+send_flow_rem, replace-flows: send_flow_rem" ]
