#!/usr/bin/env bash
# Guess: when `targets` of a row of IPFIX names another collector, ovs-vswitchd begins a new transport session with it: its templates
#   come first, and sequence numbers begin anew.
# Seen: the records come from another socket, but the sequence numbers continue, and no templates are sent: the new collector
#   cannot decode anything until ovs-vswitchd repeats the templates.
# Package: openvswitch-switch 3.1.0-2+deb12u1 (Debian 12), userspace datapath. Date: 2026-11-29.
set -euo pipefail
VERSION=3.1.0-2+deb12u1
work=$(mktemp -d)
cleanup() {
  for collector in "${collectors[@]:-}"; do
    if [ -n "$collector" ]; then kill "$collector" 2>/dev/null || true; fi
  done
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

# Prints its port, then for each message the source port, the sequence number, and what its first set is; ends after three seconds
# without one.
cat >collect.pl <<'PERL'
use strict; use IO::Socket::INET; $| = 1;
my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die $!;
print $socket->sockport, "\n";
$SIG{ALRM} = sub { exit };
while (1) {
  my $sender = $socket->recv(my $message, 65535);
  my ($port) = sockaddr_in($sender);
  my ($sequence, $set) = unpack 'x8 N x4 n', $message;
  print join(' ', $port, $sequence, $set == 2 ? 'templates' : $set == 3 ? 'options templates' : $set == 462 ? 'options' : 'data'), "\n";
  alarm 3;
}
PERL
collectors=()
for name in first second; do
  perl collect.pl >"$name" &
  collectors+=($!)
done
end=$((SECONDS + 10))
wait_for() { while ! eval "$1"; do [ "$SECONDS" -lt "$end" ] || { echo "waited for: $1"; exit 1; }; done; }
wait_for '[ -s first ] && [ -s second ]'
vsctl add-br br0 -- set Bridge br0 datapath_type=dummy \
  -- add-port br0 p1 -- set Interface p1 type=dummy ofport_request=1 \
  -- --id=@b get Bridge br0 -- --id=@i create IPFIX "targets=\"127.0.0.1:$(head -1 first)\"" \
  -- create Flow_Sample_Collector_Set id=1 bridge=@b ipfix=@i >/dev/null
ovs-ofctl add-flow br0 "actions=sample(probability=65535,collector_set_id=1)"
frame="02000000000202000000000108004500002800004000400600000a0000010a00000203e900500000000100000000500200000000000000000000000000"
# shellcheck disable=SC2046
packets() { ovs-appctl netdev-dummy/receive p1 $(printf "$frame %.0s" {1..5}) 2>/dev/null; }
packets
wait_for '[ "$(grep -c data first)" = 5 ]'
vsctl set IPFIX "$(vsctl --bare --columns=_uuid list IPFIX)" "targets=\"127.0.0.1:$(head -1 second)\""
packets
wait "${collectors[@]}"
for name in first second; do
  echo "$name collector: $(sed 1d "$name" | cut -d ' ' -f 1 | sort -u | wc -l) source port," \
    "$(grep -c templates "$name" || true) messages of templates, records with sequence numbers $(grep data "$name" | cut -d ' ' -f 2 | paste -sd' ')"
done
last=$(grep data first | tail -1 | cut -d ' ' -f 2)
next=$(grep data second | head -1 | cut -d ' ' -f 2)
[ "$next" = $((last + 1)) ] && ! grep -q templates second && grep -q templates first && [ "$(cat first second | grep data | cut -d ' ' -f 1 | sort -u | wc -l)" = 2 ]
