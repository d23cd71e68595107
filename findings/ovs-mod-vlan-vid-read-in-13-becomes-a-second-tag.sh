#!/usr/bin/env bash
# Guess: a flow that is read in OpenFlow 1.3 or later and rewritten unchanged, with every later dump identical to the first, does
#   the same as before.
# Seen: `mod_vlan_vid`, written by an OpenFlow 1.0 controller, replaces the tag of a tagged packet. Later versions show it as
#   push_vlan and set_field; rewritten so, the flow pushes a second tag, while the dumps of 1.0 and 1.3 are the same.
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

vsctl add-br br0 -- set Bridge br0 datapath_type=dummy protocols=OpenFlow10,OpenFlow13 \
  -- add-port br0 p1 -- set Interface p1 type=dummy ofport_request=1 \
  -- add-port br0 p2 -- set Interface p2 type=dummy ofport_request=2
dumps() { for version in 10 13; do ovs-ofctl -O "OpenFlow$version" --no-stats dump-flows br0; done; }
actions() { ovs-appctl ofproto/trace br0 in_port=1,dl_vlan=7,dl_type=0x1234 | sed -n 's/^Datapath actions: //p'; }
ovs-ofctl -O OpenFlow10 add-flow br0 priority=9,actions=mod_vlan_vid:5,output:2
before=$(dumps) did=$(actions)
shown=$(ovs-ofctl -O OpenFlow13 --no-stats dump-flows br0 | sed -n 's/.*actions=\(push_vlan.*\)/\1/p')
echo "OpenFlow 1.3 shows: $shown"
ovs-ofctl -O OpenFlow13 --strict mod-flows br0 "priority=9,actions=$shown"
after=$(dumps) does=$(actions)
echo "a tagged packet before: $did; after: $does; the dumps are $([ "$before" = "$after" ] && echo equal || echo different)"
[ "$before" = "$after" ] && [[ $did == pop_vlan,push_vlan* ]] && [[ $does == push_vlan* ]]
