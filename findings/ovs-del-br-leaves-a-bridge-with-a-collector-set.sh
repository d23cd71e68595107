#!/usr/bin/env bash
# Guess: `ovs-vsctl del-br` removes a bridge with all that belongs to it, so the bridge can be added again, also in the same command.
# Seen: a row of Flow_Sample_Collector_Set for the bridge stays, and keeps the row of the bridge in the database, out of
#   Open_vSwitch.bridges. `add-br` of the same name is refused (the name of a bridge is unique), until the set is destroyed.
#   `ovs-vsctl list-br` shows no bridge meanwhile.
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
  -- --id=@b get Bridge br0 -- --id=@i create IPFIX "targets=\"127.0.0.1:4739\"" \
  -- create Flow_Sample_Collector_Set id=1 bridge=@b ipfix=@i >/dev/null
vsctl del-br br0
shown=$(vsctl list-br | wc -l)
rows=$(vsctl --columns=name --bare find Bridge name=br0 | wc -l)
echo "after del-br: $shown bridges by list-br, $rows row of the bridge"
add() { if vsctl add-br br0 2>error; then echo added; else echo refused; fi; }
before=$(add)
echo "add-br with the collector set: $before: $(head -c 120 error)"
vsctl --all destroy Flow_Sample_Collector_Set
after=$(add)
echo "add-br without it: $after"
[ "$shown $rows $before $after" = "0 1 refused added" ]
