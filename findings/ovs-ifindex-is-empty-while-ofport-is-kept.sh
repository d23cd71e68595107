#!/usr/bin/env bash
# Guess: Interface.ofport and Interface.ifindex, which ovs-vswitchd writes together, survive a restart of ovsdb-server together,
#   or are lost together.
# Seen: ofport is in the database file and ifindex is not (the column is ephemeral). After a restart of ovsdb-server a row has an
#   ofport and no ifindex until ovs-vswitchd writes it again, so a client that maps ports to ifindexes sees them vanish.
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

vsctl add-br br0 -- set Bridge br0 datapath_type=dummy \
  -- add-port br0 p1 -- set Interface p1 type=dummy ofport_request=7 options:ifindex=4242
vsctl wait-until Interface p1 ifindex=4242
both() { vsctl --no-wait --bare --columns="$1" list Interface p1; }
echo "before: ofport $(both ofport), ifindex $(both ifindex)"
# The switch is stopped, so that the database alone is seen.
kill -STOP "$(cat ovs-vswitchd.pid)"
kill "$(cat ovsdb-server.pid)"
while kill -0 "$(cat ovsdb-server.pid 2>/dev/null || echo 0)" 2>/dev/null && [ -f ovsdb-server.pid ]; do :; done
start ovsdb-server conf.db --remote="punix:$work/db.sock" --pidfile="$work/ovsdb-server.pid"
ofport=$(both ofport) ifindex=$(both ifindex)
echo "after a restart of ovsdb-server: ofport $ofport, ifindex ${ifindex:-(empty)}"
kill -CONT "$(cat ovs-vswitchd.pid)"
vsctl wait-until Interface p1 ifindex=4242
echo "after ovs-vswitchd has connected: ofport $(both ofport), ifindex $(both ifindex)"
[ "$ofport" = 7 ] && [ -z "$ifindex" ]
